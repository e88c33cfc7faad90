#include "adapters/aws/dynamodb_function_store.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <utility>

#include "adapters/aws/dynamodb_update.h"
#include "adapters/aws/sqs_json.h"
#include "core/page_cursor.h"
#include "telemetry/log.h"

namespace infra {
namespace {

namespace json = boost::json;
using aws::Repeat;

constexpr std::string_view kPrefix = "DynamoDB_20120810.";
constexpr std::size_t kRowsABatch = 100;  // DynamoDB's limit
constexpr std::chrono::seconds kRefreshInterval{1};
constexpr std::chrono::seconds kScanLife{1};
constexpr milliseconds kScanTimeout{10'000};

std::string target(std::string_view action) {
  return std::string(kPrefix).append(action);
}

json::object key_of(const FunctionId& id) {
  return {{"functionId", aws::text_attribute(id.value)}};
}

std::unexpected<Error> not_found() {
  return fail(ErrorKind::not_found, "function_not_found", "There is no function with this id.");
}

FunctionCursor place_of(const Function& row) {
  return {.uploaded_at = row.uploaded_at, .id = row.id};
}

// An empty text is no attribute.
void set_text(aws::DynamoDbUpdate& update, std::string_view name, const std::optional<std::string>& text) {
  if (!text) return;
  if (text->empty()) {
    update.remove(name);
  } else {
    update.set(name, aws::text_attribute(*text));
  }
}

aws::DynamoDbUpdate update_of(const FunctionChange& change, WallTime now) {
  aws::DynamoDbUpdate update;
  set_text(update, "name", change.name);
  set_text(update, "description", change.description);
  set_text(update, "originalName", change.original_name);
  if (change.memory_mb) update.set("memoryMb", aws::number_attribute(std::int64_t{*change.memory_mb}));
  if (change.timeout) update.set("timeoutMs", aws::number_attribute(std::int64_t{change.timeout->count()}));
  if (change.env) update.set("envVars", aws::text_attribute(to_json(*change.env)));
  if (change.code) {
    set_text(update, "s3Key", change.code->key);
    set_text(update, "codeSha256", change.code->sha256);
  }
  update.set("updated_at", aws::text_attribute(to_iso8601(now)));
  update.increment_version("version");
  return update;
}

}  // namespace

DynamoDbFunctionStore::DynamoDbFunctionStore(aws::AwsClient& dynamodb, std::string table, Clock& clock,
                                             Announce announce)
    : dynamodb_(dynamodb), table_(std::move(table)), clock_(clock), announce_(std::move(announce)) {}

std::unexpected<Error> DynamoDbFunctionStore::failed(const Error& error) const {
  return fail(aws::table_error(error, table_));
}

void DynamoDbFunctionStore::changed(const FunctionId& id) {
  cache_.changed(id);
  const std::scoped_lock lock(mutex_);
  scan_.rows = nullptr;
}

void DynamoDbFunctionStore::all_changed() {
  cache_.all_changed();
  const std::scoped_lock lock(mutex_);
  scan_.rows = nullptr;
}

Task<void> DynamoDbFunctionStore::changed_by_us(FunctionId id) {
  changed(id);
  if (announce_) co_await announce_(std::move(id));
}

// Not sent again when its answer is lost: the row that then stood in the way would be our own.
Task<Result<void>> DynamoDbFunctionStore::insert(const Function& function) {
  const FunctionId id = function.id;
  const auto put = co_await dynamodb_.call_json(target("PutItem"),
                                                {{"TableName", table_},
                                                 {"Item", aws::to_item(function)},
                                                 {"ConditionExpression", "attribute_not_exists(functionId)"}},
                                                Repeat::unsafe);
  if (!put && put.error().kind == ErrorKind::conflict) {
    co_return fail(ErrorKind::conflict, "function_exists", "A function with this id exists.");
  }
  if (!put) co_return failed(put.error());
  co_await changed_by_us(id);
  co_return Result<void>{};
}

Task<Result<Function>> DynamoDbFunctionStore::find(const FunctionId& id) {
  if (auto known = cache_.find(id, clock_.steady_now())) co_return std::move(*known);
  co_return co_await read(id);
}

Task<Result<Function>> DynamoDbFunctionStore::read(FunctionId id) {
  const auto begun = cache_.begin_read();
  const auto answer = co_await dynamodb_.call_json(
      target("GetItem"), {{"TableName", table_}, {"Key", key_of(id)}, {"ConsistentRead", true}}, Repeat::safe);
  if (!answer) co_return failed(answer.error());
  const auto* item = aws::object_in(*answer, "Item");
  if (item == nullptr) {
    cache_.erase(id, begun);
    co_return not_found();
  }
  auto row = aws::function_from(*item);
  cache_.put(row, begun, clock_.steady_now());
  co_return row;
}

Task<Result<Function>> DynamoDbFunctionStore::update(const FunctionId& id, const FunctionChange& change, WallTime now) {
  const FunctionId wanted = id;
  json::object request{{"TableName", table_},
                       {"Key", key_of(wanted)},
                       {"ConditionExpression", "attribute_exists(functionId)"},
                       {"ReturnValues", "ALL_OLD"}};
  update_of(change, now).write_to(request);
  // Not sent again when its answer is lost: the second time would give the new row as the old one.
  const auto answer = co_await dynamodb_.call_json(target("UpdateItem"), std::move(request), Repeat::unsafe);
  if (!answer && answer.error().kind == ErrorKind::conflict) {
    changed(wanted);
    co_return not_found();
  }
  co_await changed_by_us(wanted);  // also if it failed: it may have been carried out
  if (!answer) co_return failed(answer.error());
  const auto* before = aws::object_in(*answer, "Attributes");
  if (before == nullptr) co_return not_found();
  co_return aws::function_from(*before);
}

Task<Result<Function>> DynamoDbFunctionStore::remove(const FunctionId& id) {
  const FunctionId wanted = id;
  const auto answer = co_await dynamodb_.call_json(
      target("DeleteItem"), {{"TableName", table_}, {"Key", key_of(wanted)}, {"ReturnValues", "ALL_OLD"}},
      Repeat::unsafe);
  co_await changed_by_us(wanted);
  if (!answer) co_return failed(answer.error());
  const auto* before = aws::object_in(*answer, "Attributes");
  if (before == nullptr || before->empty()) co_return not_found();
  co_return aws::function_from(*before);
}

Task<Result<FunctionPage>> DynamoDbFunctionStore::list(int limit, const std::string& cursor) {
  const auto after = read_function_cursor(cursor);
  if (!after) co_return fail(after.error());
  const auto rows = co_await scan();
  if (!rows) co_return fail(rows.error());
  auto next = std::ranges::upper_bound(**rows, *after, {}, place_of);
  FunctionPage page;
  for (; next != (*rows)->end() && std::cmp_less(page.functions.size(), limit); ++next) page.functions.push_back(*next);
  if (next != (*rows)->end()) page.next_cursor = make_function_cursor(page.functions.back());
  co_return page;
}

Task<Result<std::shared_ptr<const DynamoDbFunctionStore::Rows>>> DynamoDbFunctionStore::scan() {
  {
    const std::scoped_lock lock(mutex_);
    if (scan_.rows && clock_.steady_now() - scan_.at < kScanLife) co_return scan_.rows;
  }
  const SteadyTime begun_at = clock_.steady_now();
  const auto begun = cache_.begin_read();
  auto rows = std::make_shared<Rows>();
  json::object request{{"TableName", table_}, {"ConsistentRead", true}};
  while (true) {
    const auto answer = co_await dynamodb_.call_json(target("Scan"), request, Repeat::safe, kScanTimeout);
    if (!answer) co_return failed(answer.error());
    aws::for_each_object(*answer, "Items",
                         [&](const json::object& item) { rows->push_back(aws::function_from(item)); });
    const auto* last = aws::object_in(*answer, "LastEvaluatedKey");
    if (last == nullptr) break;
    request["ExclusiveStartKey"] = *last;
  }
  std::ranges::sort(*rows, {}, place_of);
  const std::scoped_lock lock(mutex_);
  if (begun == cache_.begin_read()) scan_ = {.at = begun_at, .rows = rows};
  co_return rows;
}

Task<void> DynamoDbFunctionStore::refresh() {
  while (true) {
    co_await clock_.sleep_until(clock_.steady_now() + kRefreshInterval);
    co_await refresh_once();
  }
}

Task<void> DynamoDbFunctionStore::refresh_once() {
  auto ids = cache_.recently_used(clock_.steady_now());
  while (!ids.empty()) {
    const auto count = std::min(ids.size(), kRowsABatch);
    const auto first = ids.end() - static_cast<std::ptrdiff_t>(count);
    std::vector<FunctionId> some(first, ids.end());
    ids.erase(first, ids.end());
    co_await refresh_some(std::move(some));
  }
}

Task<void> DynamoDbFunctionStore::refresh_some(std::vector<FunctionId> ids) {
  const auto begun = cache_.begin_read();
  json::array keys;
  for (const auto& id : ids) keys.push_back(key_of(id));
  const json::object wanted{{"Keys", std::move(keys)}, {"ConsistentRead", true}};
  const auto answer = co_await dynamodb_.call_json(target("BatchGetItem"),
                                                   {{"RequestItems", json::object{{table_, wanted}}}}, Repeat::safe);
  if (!answer) co_return;  // health says so; what is known goes on being served
  const SteadyTime now = clock_.steady_now();
  const auto* left = aws::object_in(*answer, "UnprocessedKeys");
  if (const auto* table = left == nullptr ? nullptr : aws::object_in(*left, table_)) {
    aws::for_each_object(*table, "Keys", [&](const json::object& key) {  // the next round's
      std::erase(ids, FunctionId{aws::text_attribute_of(key, "functionId")});
    });
  }
  if (const auto* tables = aws::object_in(*answer, "Responses")) {
    aws::for_each_object(*tables, table_, [&](const json::object& item) {
      auto row = aws::function_from(item);
      std::erase(ids, row.id);
      cache_.put(std::move(row), begun, now);
    });
  }
  for (const auto& gone : ids) cache_.erase(gone, begun);
}

}  // namespace infra
