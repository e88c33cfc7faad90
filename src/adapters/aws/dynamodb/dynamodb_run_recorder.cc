#include "adapters/aws/dynamodb/dynamodb_run_recorder.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "adapters/aws/dynamodb/dynamodb_item.h"
#include "adapters/aws/dynamodb/dynamodb_update.h"
#include "adapters/aws/wire/json_answer.h"
#include "adapters/aws/wire/service_error.h"
#include "core/error_codes.h"
#include "telemetry/log.h"

namespace infra {
namespace {

namespace json = boost::json;
using aws::Repeat;

constexpr std::string_view kMark = "recordedBy";
constexpr std::size_t kMaxUnfinished = 10'000;  // one that falls out can lose its count

std::string make_mark(Random& random) {
  std::array<std::byte, 12> bytes{};
  random.fill(bytes);
  std::string mark;
  for (const auto byte : bytes) mark += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return mark;
}

// What surely was not carried out may be asked for again.
bool surely_not_done(const Error& error) {
  return aws::surely_not_done(error) || error.code == errors::table_missing;
}

json::object key_of(const LogRow& row) {
  return {{"functionId", aws::text_attribute(row.function_id.value)},
          {"timestamp", aws::text_attribute(row.timestamp)}};
}

}  // namespace

DynamoDbRunRecorder::DynamoDbRunRecorder(aws::AwsClient& dynamodb, RecorderTables tables, Random& random)
    : dynamodb_(dynamodb), tables_(std::move(tables)), random_(random) {}

Task<Result<bool>> DynamoDbRunRecorder::record(const LogRow& row) {
  const std::string key = row.function_id.value + '\n' + row.timestamp;
  Attempt attempt = take_up(key);
  auto done = co_await carry_out(row, attempt);
  if (!done) put_off(key, std::move(attempt));
  co_return done;
}

Task<Result<bool>> DynamoDbRunRecorder::carry_out(const LogRow& row, Attempt& attempt) {
  if (!attempt.put) {
    const auto ours = co_await put(row, attempt.mark);
    if (!ours || !*ours) co_return ours;
    attempt.put = true;
  }
  if (const auto counted = co_await count(row); !counted) co_return fail(counted.error());
  co_return true;
}

// A row that stands in the way may be our own, put by a request whose answer was lost.
Task<Result<bool>> DynamoDbRunRecorder::put(const LogRow& row, const std::string& mark) {
  auto item = aws::to_item(row);
  item[kMark] = aws::text_attribute(mark);
  const auto answer = co_await dynamodb_.call_json("DynamoDB_20120810.PutItem",
                                                   {{"TableName", tables_.logs},
                                                    {"Item", std::move(item)},
                                                    {"ConditionExpression", "attribute_not_exists(functionId)"}},
                                                   Repeat::safe);
  if (answer) co_return true;
  if (answer.error().kind != ErrorKind::conflict) co_return fail(aws::table_error(answer.error(), tables_.logs));
  co_return co_await has_mark(row, mark);
}

Task<Result<bool>> DynamoDbRunRecorder::has_mark(const LogRow& row, const std::string& mark) {
  const auto answer = co_await dynamodb_.call_json("DynamoDB_20120810.GetItem",
                                                   {{"TableName", tables_.logs},
                                                    {"Key", key_of(row)},
                                                    {"ConsistentRead", true},
                                                    {"ProjectionExpression", std::string(kMark)}},
                                                   Repeat::safe);
  if (!answer) co_return fail(aws::table_error(answer.error(), tables_.logs));
  const auto* item = aws::object_in(*answer, "Item");
  co_return item != nullptr&& aws::text_attribute_of(*item, kMark) == mark;
}

Task<Result<void>> DynamoDbRunRecorder::count(const LogRow& row) {
  aws::DynamoDbUpdate update;
  update.add("invocations", aws::number_attribute(std::int64_t{1}));
  update.add("totalDuration", aws::number_attribute(row.duration_ms));
  if (row.handler_ms) {
    update.add("handlerInvocations", aws::number_attribute(std::int64_t{1}));
    update.add("totalHandlerDuration", aws::number_attribute(*row.handler_ms));
  }
  json::object request{{"TableName", tables_.functions},
                       {"Key", json::object{{"functionId", aws::text_attribute(row.function_id.value)}}},
                       {"ConditionExpression", "attribute_exists(functionId)"}};
  update.write_to(request);
  const auto answer = co_await dynamodb_.call_json("DynamoDB_20120810.UpdateItem", std::move(request), Repeat::unsafe);
  if (answer || answer.error().kind == ErrorKind::conflict) co_return Result<void>{};  // a function that is gone
  auto error = aws::table_error(answer.error(), tables_.functions);
  if (surely_not_done(error)) co_return fail(std::move(error));
  log::warn("a run's count may be lost, because its answer was",
            {{"requestId", row.request_id.value}, {"traceId", row.trace_id}, {"code", error.code}});
  co_return Result<void>{};
}

DynamoDbRunRecorder::Attempt DynamoDbRunRecorder::take_up(const std::string& key) {
  {
    const MutexLock lock(mutex_);
    if (auto found = unfinished_.extract(key)) return std::move(found.mapped());
  }
  return {.mark = make_mark(random_)};
}

void DynamoDbRunRecorder::put_off(std::string key, Attempt attempt) {
  const MutexLock lock(mutex_);
  if (unfinished_.size() >= kMaxUnfinished) unfinished_.erase(unfinished_.begin());
  unfinished_.insert_or_assign(std::move(key), std::move(attempt));
}

}  // namespace infra
