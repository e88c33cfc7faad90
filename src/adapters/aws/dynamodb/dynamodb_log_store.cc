#include "adapters/aws/dynamodb/dynamodb_log_store.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "adapters/aws/dynamodb/dynamodb_item.h"
#include "adapters/aws/wire/json_answer.h"
#include "core/error_codes.h"
#include "core/page_cursor.h"
#include "core/text.h"

namespace infra {
namespace {

namespace json = boost::json;
using aws::Repeat;

constexpr const char* kQuery = "DynamoDB_20120810.Query";
constexpr const char* kGetItem = "DynamoDB_20120810.GetItem";
constexpr std::string_view kCursorKind = "logs";
constexpr std::size_t kListMessageBytes = 4 * limits::kListedMessageUnits;  // a unit has three bytes at most
constexpr int kMaxPages = 64;           // of at most 1 MB; a listing goes on behind them with its cursor
constexpr std::size_t kLeastRows = 50;  // a page that turns out to have expired is not followed by many small ones

std::unexpected<Error> not_found() {
  return fail(errors::log_not_found, "There is no log of this request; it may have expired.");
}

json::object key_of(const FunctionId& function, std::string_view timestamp) {
  return {{"functionId", aws::text_attribute(function.value)}, {"timestamp", aws::text_attribute(timestamp)}};
}

// All but the message, which may be most of a row.
constexpr std::string_view kShortRow =
    "#function, #timestamp, requestId, #status, #duration, handlerDurationMs, memoryMb, allocatedMemoryMb, expiresAt, "
    "#code, peakMemoryBytes, cpuUsage, coldStart, traceId";

void filter_by_trace(json::object& request, const std::string& trace) {
  request["FilterExpression"] = "traceId = :trace";
  request["ExpressionAttributeValues"].get_object()[":trace"] = aws::text_attribute(trace);
}

// The names of kShortRow that DynamoDB reserves.
void leave_out_messages(json::object& request) {
  request["ProjectionExpression"] = kShortRow;
  auto& names = request["ExpressionAttributeNames"].get_object();
  for (const char* name : {"timestamp", "status", "duration", "code"}) names["#" + std::string(name)] = name;
}

// Newest first, from `start` on.
json::object query_of(const std::string& table, const FunctionId& function, const std::optional<WallTime>& start) {
  json::object names{{"#function", "functionId"}};
  json::object values{{":function", aws::text_attribute(function.value)}};
  std::string condition = "#function = :function";
  if (start) {
    std::string from = to_iso8601(*start);
    from.pop_back();  // without its Z it sorts before the same millisecond with further digits
    condition += " AND #timestamp >= :start";
    names["#timestamp"] = "timestamp";
    values[":start"] = aws::text_attribute(from);
  }
  return {{"TableName", table},
          {"KeyConditionExpression", condition},
          {"ExpressionAttributeNames", std::move(names)},
          {"ExpressionAttributeValues", std::move(values)},
          {"ScanIndexForward", false},
          {"ConsistentRead", true}};
}

}  // namespace

DynamoDbLogStore::DynamoDbLogStore(aws::AwsClient& dynamodb, std::string table, Clock& clock)
    : dynamodb_(dynamodb), table_(std::move(table)), clock_(clock) {}

Task<Result<LogPage>> DynamoDbLogStore::list(const LogQuery& query) {
  const auto limit = static_cast<std::size_t>(std::max(query.limit, 1));
  auto request = query_of(table_, query.function_id, query.start);
  if (!query.messages) leave_out_messages(request);
  if (!query.trace_id.empty()) filter_by_trace(request, query.trace_id);
  const bool has_cursor = !query.cursor.empty();
  if (has_cursor) {
    const auto key = read_cursor(kCursorKind, 1, query.cursor);
    if (!key) co_return fail(key.error());
    request["ExclusiveStartKey"] = key_of(query.function_id, key->front());
  }
  LogPage page;
  std::size_t left = kTraceRows;                             // that a page of one trace still looks at
  for (int pages = 1; page.rows.size() <= limit; ++pages) {  // one more than is wanted tells whether there are more
    const std::size_t asked = query.trace_id.empty() ? std::max(limit + 1 - page.rows.size(), kLeastRows) : left;
    request["Limit"] = asked;
    const auto answer = co_await dynamodb_.call_json(kQuery, request, Repeat::safe);
    if (!answer && answer.error().kind == ErrorKind::invalid && has_cursor) co_return invalid_cursor();
    if (!answer) co_return fail(aws::table_error(answer.error(), table_));
    aws::for_each_object(*answer, "Items", [&](const json::object& item) {
      auto row = aws::log_row_from(item);
      if (has_expired(row)) return;
      row.message = std::string(cut_utf8(row.message, kListMessageBytes));
      page.rows.push_back(std::move(row));
    });
    const auto* last = aws::object_in(*answer, "LastEvaluatedKey");
    if (last == nullptr) break;
    const auto* scanned = answer->if_contains("ScannedCount");
    const bool told = scanned != nullptr && scanned->is_int64() && scanned->get_int64() >= 0;
    left -= std::min(left, told ? static_cast<std::size_t>(scanned->get_int64()) : asked);
    if (pages == kMaxPages || (left == 0 && !query.trace_id.empty())) {
      page.next_cursor = make_cursor(kCursorKind, {aws::text_attribute_of(*last, "timestamp")});
      break;
    }
    request["ExclusiveStartKey"] = *last;
  }
  if (page.rows.size() > limit) {
    page.rows.resize(limit);
    page.next_cursor = make_cursor(kCursorKind, {page.rows.back().timestamp});
  }
  co_return page;
}

Task<Result<LogRow>> DynamoDbLogStore::find(const FunctionId& function, const RequestId& request) {
  return uuid_v7_time(request.value) ? get(function, request) : search(function, request);
}

Task<Result<LogRow>> DynamoDbLogStore::get(FunctionId function, RequestId request) {
  const auto answer = co_await dynamodb_.call_json(
      kGetItem,
      {{"TableName", table_}, {"Key", key_of(function, log_timestamp(request, {}))}, {"ConsistentRead", true}},
      Repeat::safe);
  if (!answer) co_return fail(aws::table_error(answer.error(), table_));
  const auto* item = aws::object_in(*answer, "Item");
  if (item == nullptr) co_return not_found();
  auto row = aws::log_row_from(*item);
  if (row.request_id != request || has_expired(row)) co_return not_found();
  co_return row;
}

Task<Result<LogRow>> DynamoDbLogStore::search(FunctionId function, RequestId request) {
  auto wanted = query_of(table_, function, std::nullopt);
  wanted["FilterExpression"] = "#request = :request";
  wanted["ExpressionAttributeNames"].get_object()["#request"] = "requestId";
  wanted["ExpressionAttributeValues"].get_object()[":request"] = aws::text_attribute(request.value);
  for (int pages = 0; pages < kMaxPages; ++pages) {
    const auto answer = co_await dynamodb_.call_json(kQuery, wanted, Repeat::safe);
    if (!answer) co_return fail(aws::table_error(answer.error(), table_));
    std::optional<LogRow> found;
    aws::for_each_object(*answer, "Items", [&](const json::object& item) {
      auto row = aws::log_row_from(item);
      if (!found && !has_expired(row)) found = std::move(row);
    });
    if (found) co_return std::move(*found);
    const auto* last = aws::object_in(*answer, "LastEvaluatedKey");
    if (last == nullptr) break;
    wanted["ExclusiveStartKey"] = *last;
  }
  co_return not_found();
}

}  // namespace infra
