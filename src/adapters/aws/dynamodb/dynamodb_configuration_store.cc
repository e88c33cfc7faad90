#include "adapters/aws/dynamodb/dynamodb_configuration_store.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "adapters/aws/dynamodb/dynamodb_item.h"
#include "adapters/aws/wire/json_answer.h"
#include "core/operator_error_codes.h"
#include "telemetry/log.h"

namespace infra {
namespace {

namespace json = boost::json;
using aws::DynamoDbItem;
using aws::Repeat;

constexpr const char* kGetItem = "DynamoDB_20120810.GetItem";
constexpr const char* kPutItem = "DynamoDB_20120810.PutItem";
constexpr const char* kDeleteItem = "DynamoDB_20120810.DeleteItem";
constexpr const char* kQuery = "DynamoDB_20120810.Query";

// Of items that stay: the year 9999, so that "has not expired" is one comparison for all.
constexpr std::int64_t kNever = 253'402'300'799;

std::int64_t epoch_seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

json::object attribute_of(const ConfigurationValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return aws::text_attribute(*text);
  return aws::number_attribute(std::get<std::int64_t>(value));
}

json::object key_of(const ConfigurationKey& key) {
  return {{"pk", aws::text_attribute(key.partition)}, {"sk", aws::text_attribute(key.sort)}};
}

DynamoDbItem to_dynamodb(const ConfigurationItem& item) {
  DynamoDbItem row = key_of(item.key);
  for (const auto& [name, value] : item.attributes) row[name] = attribute_of(value);
  row["expiresAt"] = aws::number_attribute(item.expires_at ? epoch_seconds(*item.expires_at) : kNever);
  return row;
}

std::optional<std::int64_t> whole(const json::object& attribute) {
  const auto* text = attribute.if_contains("N");
  if (text == nullptr || !text->is_string()) return std::nullopt;
  const std::string_view digits(text->get_string());
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

ConfigurationItem from_dynamodb(const DynamoDbItem& row) {
  ConfigurationItem item;
  item.key = {.partition = aws::text_attribute_of(row, "pk"), .sort = aws::text_attribute_of(row, "sk")};
  for (const auto& [name, value] : row) {
    if (name == "pk" || name == "sk" || !value.is_object()) continue;
    const auto number = whole(value.get_object());
    if (name == "expiresAt") {
      if (number && *number != kNever) item.expires_at = WallTime{std::chrono::seconds{*number}};
    } else if (number) {
      item.attributes.emplace(name, *number);
    } else if (value.get_object().contains("S")) {
      item.attributes.emplace(name, aws::text_attribute_of(row, name));
    }
  }
  return item;
}

// That the item is there, has not expired, and is as `condition` says.
void require(json::object& request, const ConfigurationCondition& condition, WallTime now) {
  request["ConditionExpression"] = "#attribute = :value AND expiresAt > :now";
  request["ExpressionAttributeNames"] = json::object{{"#attribute", condition.attribute}};
  request["ExpressionAttributeValues"] =
      json::object{{":value", attribute_of(condition.value)}, {":now", aws::number_attribute(epoch_seconds(now))}};
}

}  // namespace

DynamoDbConfigurationStore::DynamoDbConfigurationStore(aws::AwsClient& dynamodb, std::string table, const Clock& clock,
                                                       bool may_be_denied)
    : dynamodb_(dynamodb), table_(std::move(table)), clock_(clock), may_be_denied_(may_be_denied) {}

Error DynamoDbConfigurationStore::told(const Error& error) {
  const bool none = error.kind == ErrorKind::not_found || (may_be_denied_ && error.code == errors::aws_denied.code);
  if (!none) return aws::table_error(error, table_);
  if (!absent_.exchange(true)) {
    log::warn("there is no table for names and keys; `infra setup aws` makes it",
              {{"table", table_}, {"what", error.message}});
  }
  return configuration_absent();
}

Task<Result<json::object>> DynamoDbConfigurationStore::call(const char* action, json::object request, Repeat repeat) {
  if (absent_) co_return fail(configuration_absent());
  auto answer = co_await dynamodb_.call_json(action, std::move(request), repeat);
  if (!answer) co_return fail(told(answer.error()));
  co_return answer;
}

Task<Result<void>> DynamoDbConfigurationStore::look() {
  const auto answer = co_await dynamodb_.call_json(
      kGetItem, {{"TableName", table_}, {"Key", key_of({.partition = "-health-", .sort = "-health-"})}}, Repeat::safe);
  if (!answer) {
    Error error = told(answer.error());
    if (error.code == errors::configuration_absent.code) co_return Result<void>{};
    co_return fail(std::move(error));
  }
  absent_ = false;
  co_return Result<void>{};
}

bool DynamoDbConfigurationStore::has_expired(const ConfigurationItem& item) const {
  return item.expires_at && *item.expires_at <= clock_.now();
}

// Not sent again when its answer is lost: what then stood in the way would be our own.
Task<Result<void>> DynamoDbConfigurationStore::write(const char* action, json::object request) {
  const auto answer = co_await call(action, std::move(request), Repeat::unsafe);
  if (answer) co_return Result<void>{};
  if (answer.error().kind == ErrorKind::conflict)
    co_return fail(errors::item_changed, "The configuration item has changed meanwhile.");
  co_return fail(answer.error());
}

Task<Result<std::optional<ConfigurationItem>>> DynamoDbConfigurationStore::get(const ConfigurationKey& key) {
  const auto answer =
      co_await call(kGetItem, {{"TableName", table_}, {"Key", key_of(key)}, {"ConsistentRead", true}}, Repeat::safe);
  if (!answer) co_return fail(answer.error());
  const auto* row = aws::object_in(*answer, "Item");
  if (row == nullptr) co_return std::nullopt;
  auto item = from_dynamodb(*row);
  if (has_expired(item)) co_return std::nullopt;
  co_return item;
}

// An item in the way may have expired: it is looked for only then.
Task<Result<void>> DynamoDbConfigurationStore::put_new(const ConfigurationItem& item) {
  json::object request{
      {"TableName", table_}, {"Item", to_dynamodb(item)}, {"ConditionExpression", "attribute_not_exists(pk)"}};
  auto put = co_await write(kPutItem, request);
  if (put || put.error().kind != ErrorKind::conflict) co_return put;
  request["ConditionExpression"] = "expiresAt <= :now";
  request["ExpressionAttributeValues"] = json::object{{":now", aws::number_attribute(epoch_seconds(clock_.now()))}};
  co_return co_await write(kPutItem, std::move(request));
}

Task<Result<void>> DynamoDbConfigurationStore::replace(const ConfigurationItem& item,
                                                       const ConfigurationCondition& condition) {
  json::object request{{"TableName", table_}, {"Item", to_dynamodb(item)}};
  require(request, condition, clock_.now());
  return write(kPutItem, std::move(request));
}

Task<Result<void>> DynamoDbConfigurationStore::remove(const ConfigurationKey& key,
                                                      const ConfigurationCondition& condition) {
  json::object request{{"TableName", table_}, {"Key", key_of(key)}};
  require(request, condition, clock_.now());
  return write(kDeleteItem, std::move(request));
}

Task<Result<ConfigurationPage>> DynamoDbConfigurationStore::query(const std::string& partition,
                                                                  const std::string& after, int limit) {
  const auto most = static_cast<std::size_t>(std::max(limit, 1));
  json::object request{{"TableName", table_},
                       {"KeyConditionExpression", "pk = :partition"},
                       {"ExpressionAttributeValues", json::object{{":partition", aws::text_attribute(partition)}}},
                       {"ConsistentRead", true}};
  if (!after.empty()) request["ExclusiveStartKey"] = key_of({.partition = partition, .sort = after});
  ConfigurationPage page;
  while (page.items.size() <= most) {  // one more than is wanted tells whether there are more
    request["Limit"] = most + 1 - page.items.size();
    const auto answer = co_await call(kQuery, request, Repeat::safe);
    if (!answer) co_return fail(answer.error());
    aws::for_each_object(*answer, "Items", [&](const json::object& row) {
      auto item = from_dynamodb(row);
      if (!has_expired(item)) page.items.push_back(std::move(item));
    });
    const auto* last = aws::object_in(*answer, "LastEvaluatedKey");
    if (last == nullptr) break;
    request["ExclusiveStartKey"] = *last;
  }
  if (page.items.size() > most) {
    page.items.resize(most);
    page.next = page.items.back().key.sort;
  }
  co_return page;
}

}  // namespace infra
