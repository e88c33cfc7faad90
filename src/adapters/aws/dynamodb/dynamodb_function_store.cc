#include "adapters/aws/dynamodb/dynamodb_function_store.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <unordered_map>
#include <utility>

#include "adapters/aws/dynamodb/dynamodb_item.h"
#include "adapters/aws/dynamodb/dynamodb_update.h"
#include "adapters/aws/wire/json_answer.h"
#include "core/error_codes.h"
#include "core/page_cursor.h"

namespace infra {
namespace {

namespace json = boost::json;
using aws::Repeat;

constexpr std::string_view kPrefix = "DynamoDB_20120810.";
constexpr std::size_t kRowsABatch = 100;  // DynamoDB's limit
constexpr std::chrono::seconds kRefreshInterval{1};
constexpr std::chrono::seconds kScanLife{1};
constexpr milliseconds kScanTimeout{10'000};   // a page of 1 MB
constexpr milliseconds kRefreshTimeout{1500};  // later, the next round would be due
constexpr int kTries = 3;                      // to read a row that changes at the same time

std::string target(std::string_view action) {
  return std::string(kPrefix).append(action);
}

json::object key_of(const FunctionId& id) {
  return {{"functionId", aws::text_attribute(id.value)}};
}

std::unexpected<Error> not_found() {
  return fail(errors::function_not_found, "There is no function with this id.");
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
  for (const auto& field : setting_fields()) {
    if (!change.names(field)) continue;
    if (auto attribute = aws::setting_attribute(field, change.values())) {
      update.set(field.name, std::move(*attribute));
    } else {
      update.remove(field.name);
    }
  }
  set_text(update, "originalName", change.original_name);
  if (change.code) {
    set_text(update, "s3Key", change.code->key);
    set_text(update, "codeSha256", change.code->sha256);
    set_text(update, "codeSha256Of", change.code->key);
  }
  update.set("updated_at", aws::text_attribute(to_iso8601(now)));
  update.increment_version("version");
  return update;
}

}  // namespace

DynamoDbFunctionStore::DynamoDbFunctionStore(aws::AwsClient& dynamodb, std::string table, Clock& clock,
                                             Announce announce)
    : dynamodb_(dynamodb),
      table_(std::move(table)),
      clock_(clock),
      announce_(std::move(announce)),
      reads_(clock),
      scans_(clock) {}

std::unexpected<Error> DynamoDbFunctionStore::failed(const Error& error) const {
  return fail(aws::table_error(error, table_));
}

void DynamoDbFunctionStore::changed(const FunctionId& id) {
  cache_.changed(id);
  forget_scan();
}

void DynamoDbFunctionStore::all_changed() {
  cache_.all_changed();
  forget_scan();
}

void DynamoDbFunctionStore::forget_scan() {
  const MutexLock lock(mutex_);
  ++changes_;
  scan_.rows = nullptr;
}

// After a write that failed, too: it may have been carried out.
Task<void> DynamoDbFunctionStore::changed_by_us(FunctionId id) {
  changed(id);
  if (announce_) co_await announce_(std::move(id));
}

// Not sent again when its answer is lost: the row that then stood in the way would be our own.
Task<Result<void>> DynamoDbFunctionStore::insert(const Function& function) {
  const auto put = co_await dynamodb_.call_json(target("PutItem"),
                                                {{"TableName", table_},
                                                 {"Item", aws::to_item(function)},
                                                 {"ConditionExpression", "attribute_not_exists(functionId)"}},
                                                Repeat::unsafe);
  if (!put && put.error().kind == ErrorKind::conflict) {
    co_return fail(errors::function_exists, "A function with this id exists already.");
  }
  co_await changed_by_us(function.id);
  if (!put) co_return failed(put.error());
  co_return Result<void>{};
}

Task<Result<Function>> DynamoDbFunctionStore::find(const FunctionId& id) {
  const auto known = cache_.find(id, clock_.steady_now());
  if (known && (known->current || away_)) co_return *known->row;
  const auto row = co_await reads_.run(id.value, [this, id] { return read(id); });
  if (row) co_return **row;
  if (row.error().kind != ErrorKind::unavailable) co_return fail(row.error());
  if (const auto kept = cache_.find(id, clock_.steady_now())) co_return *kept->row;
  co_return fail(row.error());
}

Task<Result<Function>> DynamoDbFunctionStore::find_current(const FunctionId& id) {
  const auto row = co_await read(id);
  if (!row) co_return fail(row.error());
  co_return **row;
}

// As it is at some moment after the call, for callers that join it too: rows that change meanwhile are read again.
Task<Result<aws::SharedFunction>> DynamoDbFunctionStore::read(FunctionId id) {
  for (int tries = 1;; ++tries) {
    const auto reading = cache_.begin_read(id, clock_.steady_now());
    auto row = co_await get_item(id);
    if (!row) co_return row;
    if (!cache_.finish_read(reading, *row) && tries < kTries) continue;
    if (!*row) co_return not_found();
    co_return row;
  }
}

Task<Result<aws::SharedFunction>> DynamoDbFunctionStore::get_item(FunctionId id) {
  const auto answer = co_await dynamodb_.call_json(
      target("GetItem"), {{"TableName", table_}, {"Key", key_of(id)}, {"ConsistentRead", true}}, Repeat::safe);
  if (!answer) co_return failed(answer.error());
  const auto* item = aws::object_in(*answer, "Item");
  if (item == nullptr) co_return nullptr;
  co_return std::make_shared<const Function>(aws::function_from(*item));
}

Task<Result<Function>> DynamoDbFunctionStore::update(const FunctionId& id, const FunctionChange& change, WallTime now) {
  json::object request{{"TableName", table_},
                       {"Key", key_of(id)},
                       {"ConditionExpression", "attribute_exists(functionId)"},
                       {"ReturnValues", "ALL_OLD"}};
  update_of(change, now).write_to(request);
  // Not sent again when its answer is lost: the second time would give the new row as the old one.
  const auto answer = co_await dynamodb_.call_json(target("UpdateItem"), std::move(request), Repeat::unsafe);
  co_await changed_by_us(id);
  if (!answer && answer.error().kind == ErrorKind::conflict) co_return not_found();
  if (!answer) co_return failed(answer.error());
  const auto* before = aws::object_in(*answer, "Attributes");
  if (before == nullptr) co_return not_found();
  co_return aws::function_from(*before);
}

Task<Result<Function>> DynamoDbFunctionStore::remove(const FunctionId& id) {
  const auto answer = co_await dynamodb_.call_json(
      target("DeleteItem"), {{"TableName", table_}, {"Key", key_of(id)}, {"ReturnValues", "ALL_OLD"}}, Repeat::unsafe);
  co_await changed_by_us(id);
  if (!answer) co_return failed(answer.error());
  const auto* before = aws::object_in(*answer, "Attributes");
  if (before == nullptr || before->empty()) co_return not_found();
  co_return aws::function_from(*before);
}

Task<Result<FunctionPage>> DynamoDbFunctionStore::list(int limit, const std::string& cursor) {
  const auto after = read_function_cursor(cursor);
  if (!after) co_return fail(after.error());
  const auto rows = co_await all_rows();
  if (!rows) co_return fail(rows.error());
  const auto most = std::max(limit, 1);
  FunctionPage page;
  auto next = std::ranges::upper_bound(**rows, *after, {}, place_of);
  for (; next != (*rows)->end() && std::cmp_less(page.functions.size(), most); ++next) page.functions.push_back(*next);
  if (next != (*rows)->end()) page.next_cursor = make_function_cursor(page.functions.back());
  co_return page;
}

Task<Result<DynamoDbFunctionStore::SharedRows>> DynamoDbFunctionStore::all_rows() {
  {
    const MutexLock lock(mutex_);
    if (scan_.rows && clock_.steady_now() - scan_.begun < kScanLife) co_return scan_.rows;
  }
  co_return co_await scans_.run("", [this] { return scan(); });
}

// A caller that joins it may know of a change that came after it began: then the table is scanned again, once.
Task<Result<DynamoDbFunctionStore::SharedRows>> DynamoDbFunctionStore::scan() {
  for (bool last = false;; last = true) {
    const SteadyTime begun = clock_.steady_now();
    const std::uint64_t changes = changes_;
    auto rows = co_await scan_once();
    if (!rows || last) co_return rows;
    const MutexLock lock(mutex_);
    if (changes != changes_) continue;
    scan_ = {.begun = begun, .rows = *rows};
    co_return rows;
  }
}

Task<Result<DynamoDbFunctionStore::SharedRows>> DynamoDbFunctionStore::scan_once() {
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
  co_return rows;
}

Task<void> DynamoDbFunctionStore::refresh() {
  while (true) {
    co_await clock_.sleep_until(clock_.steady_now() + kRefreshInterval);
    co_await refresh_once();
  }
}

Task<void> DynamoDbFunctionStore::refresh_once() {
  const SteadyTime now = clock_.steady_now();
  {
    const MutexLock lock(mutex_);
    if (now - scan_.begun >= kScanLife) scan_.rows = nullptr;
  }
  const auto readings = cache_.begin_refresh(now);
  bool answered = true;
  for (std::size_t first = 0; answered && first < readings.size(); first += kRowsABatch) {
    const auto count = std::min(kRowsABatch, readings.size() - first);
    answered = co_await refresh_some(std::span(readings).subspan(first, count));
  }
  away_ = !answered;
}

// False if DynamoDB did not answer; what is known goes on being served, and health says why.
Task<bool> DynamoDbFunctionStore::refresh_some(std::span<const aws::FunctionCache::Reading> readings) {
  json::array keys;
  std::unordered_map<FunctionId, const aws::FunctionCache::Reading*> open;
  for (const auto& reading : readings) {
    keys.push_back(key_of(reading.id));
    open.emplace(reading.id, &reading);
  }
  const json::object wanted{{"Keys", std::move(keys)}, {"ConsistentRead", true}};
  const auto answer =
      co_await dynamodb_.call_json(target("BatchGetItem"), {{"RequestItems", json::object{{table_, wanted}}}},
                                   Repeat::safe, kRefreshTimeout, kRefreshTimeout);
  if (!answer) co_return false;
  const auto finish = [&](const FunctionId& id, aws::SharedFunction row) {
    const auto found = open.extract(id);
    if (!found.empty()) cache_.finish_read(*found.mapped(), std::move(row));
  };
  if (const auto* tables = aws::object_in(*answer, "Responses")) {
    aws::for_each_object(*tables, table_, [&](const json::object& item) {
      auto row = std::make_shared<const Function>(aws::function_from(item));
      finish(row->id, row);
    });
  }
  const auto* left = aws::object_in(*answer, "UnprocessedKeys");
  if (const auto* table = left == nullptr ? nullptr : aws::object_in(*left, table_)) {
    aws::for_each_object(*table, "Keys", [&](const json::object& key) {  // the next round's
      open.erase(FunctionId{aws::text_attribute_of(key, "functionId")});
    });
  }
  for (const auto& [id, reading] : open) cache_.finish_read(*reading, nullptr);
  co_return true;
}

}  // namespace infra
