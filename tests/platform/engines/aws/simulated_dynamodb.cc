#include "platform/engines/aws/simulated_dynamodb.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "core/json_value.h"
#include "platform/engines/aws/aws_answers.h"

namespace infra::simulation {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostItemBytes = 400 * 1024;
constexpr std::size_t kMostBatchBytes = 16 * 1024 * 1024;
constexpr std::size_t kMostKeys = 100;
constexpr milliseconds kMostSkew = std::chrono::minutes{5};

const json::object* object_in(const json::object& fields, std::string_view name) {
  const auto* value = fields.if_contains(name);
  return value == nullptr ? nullptr : value->if_object();
}

bool is_true(const json::object& fields, std::string_view name, bool otherwise = false) {
  const auto* value = fields.if_contains(name);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}

std::unexpected<Refusal> no_such_table() {
  return refuse(400, "ResourceNotFoundException", "Requested resource not found");
}

}  // namespace

// Rows that a query or scan has come past.
struct SimulatedDynamoDb::Page {
  const DynamoDbExpressions& expressions;
  std::size_t most_rows = 0;
  std::size_t bytes = 0;
  std::size_t scanned = 0;
  json::array items{};
  std::optional<DynamoDbKey> last{};
  bool is_full = false;
};

void SimulatedDynamoDb::make_table(const std::string& name, TableOptions options) {
  tables_.emplace(std::piecewise_construct, std::forward_as_tuple(name),
                  std::forward_as_tuple(std::ref(aws_), std::move(options)));
}

TableOptions SimulatedDynamoDb::functions_table() {
  return {.hash = "functionId"};
}

TableOptions SimulatedDynamoDb::logs_table() {
  return {.hash = "functionId", .range = "timestamp", .ttl = "expiresAt"};
}

std::vector<DynamoDbItem> SimulatedDynamoDb::items(const std::string& table) {
  auto& there = tables_.at(table);
  there.expire();
  std::vector<DynamoDbItem> found;
  for (const auto& [key, row] : there.rows()) {
    if (row.item) found.push_back(*row.item);
  }
  return found;
}

net::Response SimulatedDynamoDb::refusal(const Refusal& refusal) const {
  return json_refusal(
      refusal.name == "ValidationException" ? "com.amazon.coral.validate" : "com.amazonaws.dynamodb.v20120810",
      refusal);
}

Refusal SimulatedDynamoDb::too_many_requests() const {
  return {.status = 400,
          .name = "ProvisionedThroughputExceededException",
          .message = "The level of configured provisioned throughput for the table was exceeded."};
}

Refusal SimulatedDynamoDb::failure() const {
  return {.status = 500, .name = "InternalServerError", .message = "The request processing has failed."};
}

std::optional<Refusal> SimulatedDynamoDb::refuse_date(milliseconds ahead) const {
  if (std::chrono::abs(ahead) <= kMostSkew) return std::nullopt;
  return Refusal{.status = 400,
                 .name = "InvalidSignatureException",
                 .message = ahead < milliseconds{0} ? "Signature expired." : "Signature not yet current."};
}

DynamoDbTable* SimulatedDynamoDb::table_of(const Fields& fields) {
  const auto found = tables_.find(text_of(fields, "TableName"));
  if (found == tables_.end()) return nullptr;
  found->second.expire();
  return &found->second;
}

void SimulatedDynamoDb::check_members(std::string_view action, const Fields& fields) const {
  static const std::set<std::string_view> kKnown{"TableName",
                                                 "Item",
                                                 "Key",
                                                 "Keys",
                                                 "RequestItems",
                                                 "ConditionExpression",
                                                 "UpdateExpression",
                                                 "FilterExpression",
                                                 "KeyConditionExpression",
                                                 "ProjectionExpression",
                                                 "ExpressionAttributeNames",
                                                 "ExpressionAttributeValues",
                                                 "ReturnValues",
                                                 "ConsistentRead",
                                                 "ScanIndexForward",
                                                 "Limit",
                                                 "ExclusiveStartKey"};
  for (const auto& member : fields) {
    if (!kKnown.contains(member.key()))
      aws_.complain(fmt::format("DynamoDB's {} has {}", action, std::string(member.key())));
  }
  const std::string returns = text_of(fields, "ReturnValues");
  if (!returns.empty() && returns != "NONE" && returns != "ALL_OLD")
    aws_.complain(fmt::format("DynamoDB's {} is to return {}", action, returns));
}

net::Response SimulatedDynamoDb::answer(const ServiceRequest& request) {
  const auto done = carry_out(request);
  return done ? json_answer(*done) : refusal(done.error());
}

Answered<SimulatedDynamoDb::Fields> SimulatedDynamoDb::carry_out(const ServiceRequest& request) {
  const Fields& fields = request.fields;
  check_members(request.action, fields);
  if (request.action == "BatchGetItem") return batch_get(fields);
  DynamoDbTable* const table = table_of(fields);
  if (table == nullptr) return no_such_table();
  if (request.action == "PutItem") return put_item(*table, fields);
  if (request.action == "GetItem") return get_item(*table, fields);
  if (request.action == "UpdateItem") return update_item(*table, fields);
  if (request.action == "DeleteItem") return delete_item(*table, fields);
  if (request.action == "Query") return query(*table, fields);
  if (request.action == "Scan") return scan(*table, fields);
  aws_.complain(fmt::format("DynamoDB was asked for {}", request.action));
  return refuse(400, "UnknownOperationException");
}

Answered<DynamoDbKey> SimulatedDynamoDb::admitted(DynamoDbTable& table, const Fields& fields, std::string_view member,
                                                  DynamoDbExpressions& expressions) {
  const auto* const named = object_in(fields, member);
  if (named == nullptr) return validation_error(fmt::format("Missing {}", member));
  const auto key = table.key_of(*named, member == "Key");
  if (!key) return key;
  if (auto good = expressions.check(); !good) return std::unexpected(good.error());
  const auto holds = expressions.holds("ConditionExpression", table.find(*key));
  if (!holds) return std::unexpected(holds.error());
  if (!*holds) return refuse(400, "ConditionalCheckFailedException", "The conditional request failed");
  return key;
}

Answered<SimulatedDynamoDb::Fields> SimulatedDynamoDb::put_item(DynamoDbTable& table, const Fields& fields) {
  DynamoDbExpressions expressions(fields, aws_.complain);
  const auto key = admitted(table, fields, "Item", expressions);
  if (!key) return std::unexpected(key.error());
  const DynamoDbItem& item = *object_in(fields, "Item");
  if (size_of_item(item) > kMostItemBytes) return validation_error("Item size has exceeded the maximum allowed size");
  table.write(*key, item);
  return Fields{};
}

Answered<SimulatedDynamoDb::Fields> SimulatedDynamoDb::get_item(DynamoDbTable& table, const Fields& fields) {
  DynamoDbExpressions expressions(fields, aws_.complain);
  const auto key = admitted(table, fields, "Key", expressions);
  if (!key) return std::unexpected(key.error());
  const SteadyTime moment = table.view(is_true(fields, "ConsistentRead"));
  const auto row = table.rows().find(*key);
  const DynamoDbItem* const item = row == table.rows().end() ? nullptr : DynamoDbTable::item_at(row->second, moment);
  if (item == nullptr) return Fields{};
  auto projected = expressions.project(*item);
  if (!projected) return std::unexpected(projected.error());
  return Fields{{"Item", std::move(*projected)}};
}

Answered<SimulatedDynamoDb::Fields> SimulatedDynamoDb::update_item(DynamoDbTable& table, const Fields& fields) {
  DynamoDbExpressions expressions(fields, aws_.complain);
  const auto key = admitted(table, fields, "Key", expressions);
  if (!key) return std::unexpected(key.error());
  for (const auto& name : expressions.names_in("UpdateExpression")) {
    if (name == table.options().hash || name == table.options().range)
      return validation_error(fmt::format("Cannot update attribute {}. This attribute is part of the key", name));
  }
  const DynamoDbItem* const there = table.find(*key);
  const bool returns_old = text_of(fields, "ReturnValues") == "ALL_OLD" && there != nullptr;
  Fields told;
  if (returns_old) told["Attributes"] = *there;
  DynamoDbItem item = there == nullptr ? table.key_attributes(*key) : *there;
  if (auto done = expressions.update(item); !done) return std::unexpected(done.error());
  if (size_of_item(item) > kMostItemBytes) return validation_error("Item size to update has exceeded the maximum");
  table.write(*key, std::move(item));
  return told;
}

Answered<SimulatedDynamoDb::Fields> SimulatedDynamoDb::delete_item(DynamoDbTable& table, const Fields& fields) {
  DynamoDbExpressions expressions(fields, aws_.complain);
  const auto key = admitted(table, fields, "Key", expressions);
  if (!key) return std::unexpected(key.error());
  const DynamoDbItem* const there = table.find(*key);
  Fields told;
  if (there == nullptr) return told;
  if (text_of(fields, "ReturnValues") == "ALL_OLD") told["Attributes"] = *there;
  table.write(*key, std::nullopt);
  return told;
}

// False if the page has no room for more behind it.
Answered<bool> SimulatedDynamoDb::take(Page& page, const DynamoDbKey& key, const DynamoDbItem& item) const {
  ++page.scanned;
  page.bytes += size_of_item(item);
  page.last = key;
  const auto passes = page.expressions.holds("FilterExpression", &item);
  if (!passes) return std::unexpected(passes.error());
  if (*passes) {
    auto projected = page.expressions.project(item);
    if (!projected) return std::unexpected(projected.error());
    page.items.emplace_back(std::move(*projected));
  }
  page.is_full = page.scanned >= page.most_rows || page.bytes >= page_bytes_;
  return !page.is_full;
}

// A page that is full says where it ended, whether there is more or not.
SimulatedDynamoDb::Fields SimulatedDynamoDb::told(Page page, const DynamoDbTable& table) const {
  Fields fields{{"Count", page.items.size()}, {"ScannedCount", page.scanned}, {"Items", std::move(page.items)}};
  if (page.is_full) fields["LastEvaluatedKey"] = table.key_attributes(*page.last);
  return fields;
}

namespace {

std::size_t limit_of(const json::object& fields) {
  const auto* value = fields.if_contains("Limit");
  return value == nullptr ? std::numeric_limits<std::size_t>::max() : value->to_number<std::size_t>();
}

}  // namespace

Answered<SimulatedDynamoDb::Fields> SimulatedDynamoDb::query(DynamoDbTable& table, const Fields& fields) {
  constexpr std::string_view kCondition = "KeyConditionExpression";
  DynamoDbExpressions expressions(fields, aws_.complain);
  if (auto good = expressions.check(); !good) return std::unexpected(good.error());
  for (const auto& name : expressions.names_in(kCondition)) {
    if (name != table.options().hash && name != table.options().range)
      return validation_error("Query key condition not supported");
  }
  const auto hash = expressions.text_equal_to(kCondition, table.options().hash);
  if (!hash) return validation_error("Query condition missed key schema element");
  const auto* const start = object_in(fields, "ExclusiveStartKey");
  std::optional<DynamoDbKey> after;
  if (start != nullptr) {
    const auto key = table.key_of(*start, true);
    const auto holds = expressions.holds(kCondition, start);
    if (!key || !holds || !*holds) return validation_error("The provided starting key is outside query boundaries");
    after = *key;
  }
  const SteadyTime moment = table.view(is_true(fields, "ConsistentRead"));
  const bool forward = is_true(fields, "ScanIndexForward", true);
  Page page{.expressions = expressions, .most_rows = limit_of(fields)};
  if (page.most_rows == 0) return validation_error("Limit must be at least 1");
  const auto visit = [&](const DynamoDbKey& key, const DynamoDbTable::Row& row) -> Answered<bool> {
    const DynamoDbItem* const item = DynamoDbTable::item_at(row, moment);
    if (item == nullptr || (after && (forward ? key <= *after : key >= *after))) return true;
    const auto holds = expressions.holds(kCondition, item);
    if (!holds || !*holds) return holds ? Answered<bool>(true) : holds;
    return take(page, key, *item);
  };
  Answered<bool> more = true;
  const auto [first, end] = table.partition(*hash);
  if (forward) {
    for (auto row = first; row != end && more && *more; ++row) more = visit(row->first, row->second);
  } else {
    for (auto row = end; row != first && more && *more;) {
      --row;
      more = visit(row->first, row->second);
    }
  }
  if (!more) return std::unexpected(more.error());
  return told(std::move(page), table);
}

Answered<SimulatedDynamoDb::Fields> SimulatedDynamoDb::scan(DynamoDbTable& table, const Fields& fields) {
  DynamoDbExpressions expressions(fields, aws_.complain);
  if (auto good = expressions.check(); !good) return std::unexpected(good.error());
  auto row = table.rows().begin();
  if (const auto* const start = object_in(fields, "ExclusiveStartKey")) {
    const auto key = table.key_of(*start, true);
    if (!key) return std::unexpected(key.error());
    row = table.rows().upper_bound(*key);
  }
  const SteadyTime moment = table.view(is_true(fields, "ConsistentRead"));
  Page page{.expressions = expressions, .most_rows = limit_of(fields)};
  if (page.most_rows == 0) return validation_error("Limit must be at least 1");
  for (; row != table.rows().end(); ++row) {
    const DynamoDbItem* const item = DynamoDbTable::item_at(row->second, moment);
    if (item == nullptr) continue;
    const auto more = take(page, row->first, *item);
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
  }
  return told(std::move(page), table);
}

Answered<SimulatedDynamoDb::Fields> SimulatedDynamoDb::batch_get(const Fields& fields) {
  const auto* const asked = object_in(fields, "RequestItems");
  if (asked == nullptr) return validation_error("Missing RequestItems");
  Fields responses;
  Fields unprocessed;
  std::size_t count = 0;
  std::size_t bytes = 0;
  for (const auto& entry : *asked) {
    const auto found = tables_.find(std::string(entry.key()));
    if (found == tables_.end()) return no_such_table();
    DynamoDbTable& table = found->second;
    table.expire();
    const Fields& wanted = entry.value().as_object();
    check_members("BatchGetItem", wanted);
    std::map<DynamoDbKey, DynamoDbItem> keys;  // answers come in the table's order
    for (const auto& value : wanted.at("Keys").as_array()) {
      const auto key = table.key_of(value.as_object(), true);
      if (!key) return std::unexpected(key.error());
      if (!keys.emplace(*key, value.as_object()).second)
        return validation_error("Provided list of item keys contains duplicates");
      ++count;
    }
    const bool is_consistent = is_true(wanted, "ConsistentRead");
    json::array items;
    json::array left;
    for (const auto& [key, attributes] : keys) {
      const auto row = table.rows().find(key);
      const SteadyTime moment = table.view(is_consistent);
      const auto* const item = row == table.rows().end() ? nullptr : DynamoDbTable::item_at(row->second, moment);
      if (bytes >= kMostBatchBytes || aws_.dice.chance(aws_.faults.dynamodb.unprocessed)) {
        left.emplace_back(attributes);
      } else if (item != nullptr) {
        bytes += size_of_item(*item);
        items.emplace_back(*item);
      }
    }
    responses[entry.key()] = std::move(items);
    if (!left.empty()) unprocessed[entry.key()] = Fields{{"Keys", std::move(left)}, {"ConsistentRead", is_consistent}};
  }
  if (count == 0 || count > kMostKeys) return validation_error("Too many items requested for the BatchGetItem call");
  return Fields{{"Responses", std::move(responses)}, {"UnprocessedKeys", std::move(unprocessed)}};
}

}  // namespace infra::simulation
