#include "adapters/aws/dynamodb_run_recorder.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "adapters/aws/dynamodb_item.h"
#include "adapters/aws/dynamodb_update.h"
#include "adapters/aws/sqs_json.h"
#include "telemetry/log.h"

namespace infra {
namespace {

namespace json = boost::json;
using aws::Repeat;

constexpr std::string_view kMark = "recordedBy";
constexpr std::size_t kRemembered = 10'000;  // repeats come within seconds

std::string make_mark(Random& random) {
  std::array<std::byte, 12> bytes{};
  random.fill(bytes);
  std::string mark;
  for (const auto byte : bytes) mark += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return mark;
}

// What surely was not carried out may be asked for again.
bool surely_not_done(const Error& error) {
  return error.kind != ErrorKind::unavailable || error.code == "aws_throttled" || error.code == "circuit_open" ||
         error.code == "no_credentials" || error.code == "aws_denied" || error.code == "table_missing";
}

json::object key_of(const LogRow& row) {
  return {{"functionId", aws::text_attribute(row.function_id.value)},
          {"timestamp", aws::text_attribute(row.timestamp)}};
}

}  // namespace

DynamoDbRunRecorder::DynamoDbRunRecorder(aws::AwsClient& dynamodb, RecorderTables tables, Random& random)
    : dynamodb_(dynamodb), tables_(std::move(tables)), mark_(make_mark(random)) {}

Task<Result<bool>> DynamoDbRunRecorder::record(const LogRow& row) {
  const LogRow wanted = row;
  const auto written = co_await put(wanted);
  if (!written) co_return fail(written.error());
  if (*written == Put::others || !claim_count(wanted.request_id)) co_return false;
  if (auto counted = co_await count(wanted); !counted) {
    release_count(wanted.request_id);
    co_return fail(counted.error());
  }
  co_return true;
}

Task<Result<DynamoDbRunRecorder::Put>> DynamoDbRunRecorder::put(LogRow row) {
  auto item = aws::to_item(row);
  item[kMark] = aws::text_attribute(mark_);
  const auto answer = co_await dynamodb_.call_json("DynamoDB_20120810.PutItem",
                                                   {{"TableName", tables_.logs},
                                                    {"Item", std::move(item)},
                                                    {"ConditionExpression", "attribute_not_exists(functionId)"}},
                                                   Repeat::safe);
  if (answer) co_return Put::ours;
  if (answer.error().kind != ErrorKind::conflict) co_return fail(aws::table_error(answer.error(), tables_.logs));
  const auto ours = co_await is_ours(std::move(row));
  if (!ours) co_return fail(ours.error());
  co_return *ours ? Put::ours : Put::others;
}

Task<Result<bool>> DynamoDbRunRecorder::is_ours(LogRow row) {
  const auto answer = co_await dynamodb_.call_json("DynamoDB_20120810.GetItem",
                                                   {{"TableName", tables_.logs},
                                                    {"Key", key_of(row)},
                                                    {"ConsistentRead", true},
                                                    {"ProjectionExpression", std::string(kMark)}},
                                                   Repeat::safe);
  if (!answer) co_return fail(aws::table_error(answer.error(), tables_.logs));
  const auto* item = aws::object_in(*answer, "Item");
  co_return item != nullptr&& aws::text_attribute_of(*item, kMark) == mark_;
}

Task<Result<void>> DynamoDbRunRecorder::count(LogRow row) {
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
            {{"requestId", row.request_id.value}, {"code", error.code}});
  co_return Result<void>{};
}

bool DynamoDbRunRecorder::claim_count(const RequestId& id) {
  const std::scoped_lock lock(mutex_);
  if (!counted_.insert(id).second) return false;
  counted_order_.push_back(id);
  if (counted_order_.size() > kRemembered) {
    counted_.erase(counted_order_.front());
    counted_order_.pop_front();
  }
  return true;
}

void DynamoDbRunRecorder::release_count(const RequestId& id) {
  const std::scoped_lock lock(mutex_);
  counted_.erase(id);
}

}  // namespace infra
