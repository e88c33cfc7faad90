#include "platform/engines/aws/dynamodb_expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "core/json_value.h"
#include "platform/engines/aws/dynamodb_number.h"

namespace infra::simulation {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 5> kExpressions{
    "ConditionExpression", "FilterExpression", "KeyConditionExpression", "ProjectionExpression", "UpdateExpression"};
// Of DynamoDB's reserved words those that our rows have for names, and a few that rows are likely to get.
const std::set<std::string, std::less<>> kReserved{
    "code",  "comment", "count",    "data",   "date",   "duration", "error",  "function", "group",
    "hash",  "key",     "language", "level",  "limit",  "mode",     "name",   "names",    "number",
    "owner", "range",   "region",   "result", "role",   "size",     "status", "time",     "timestamp",
    "ttl",   "type",    "user",     "value",  "values", "year",     "zone"};
constexpr std::array<std::string_view, 6> kWords{
    "AND", "SET", "REMOVE", "ADD", "attribute_exists", "attribute_not_exists"};

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '#' ||
         c == ':' || c == '-';
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> tokens;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    if (is_word(text[at])) {
      while (end < text.size() && is_word(text[end])) ++end;
    } else if ((text[at] == '<' || text[at] == '>') && end < text.size() && (text[end] == '=' || text[end] == '>')) {
      ++end;
    }
    if (text[at] != ' ') tokens.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return tokens;
}

bool is_name(std::string_view token) {
  return is_word(token.front()) && !token.starts_with(':') && token != "if_not_exists" &&
         std::ranges::find(kWords, token) == kWords.end();
}

using Attribute = std::optional<json::object>;

// <0, 0, >0; nullopt if they can't be compared.
std::optional<int> compare(const Attribute& a, const Attribute& b) {
  if (!a || !b) return std::nullopt;
  if (a->contains("S") && b->contains("S")) return text_of(*a, "S").compare(text_of(*b, "S"));
  const auto left = read_decimal(text_of(*a, "N"));
  const auto right = read_decimal(text_of(*b, "N"));
  if (left && right) return left->millionths < right->millionths ? -1 : left->millionths > right->millionths ? 1 : 0;
  if (a->contains("BOOL") && b->contains("BOOL")) return a->at("BOOL") == b->at("BOOL") ? 0 : 1;
  return std::nullopt;
}

bool satisfies(std::string_view operation, const Attribute& a, const Attribute& b) {
  const auto order = compare(a, b);
  if (!order) return operation == "<>";
  if (operation == "=") return *order == 0;
  if (operation == "<>") return *order != 0;
  if (operation == "<") return *order < 0;
  if (operation == "<=") return *order <= 0;
  if (operation == ">") return *order > 0;
  return *order >= 0;
}

const json::object* placeholders(const json::object& request, std::string_view member) {
  const auto* value = request.if_contains(member);
  return value == nullptr ? nullptr : value->if_object();
}

}  // namespace

std::unexpected<Refusal> validation_error(std::string message) {
  return refuse(400, "ValidationException", std::move(message));
}

// Reads one expression from its first token to its last, with the values of one item.
class DynamoDbExpressions::Reader {
 public:
  Reader(const DynamoDbExpressions& all, const Tokens& tokens, const DynamoDbItem* item)
      : all_(all), tokens_(tokens), item_(item) {}

  [[nodiscard]] bool at_end() const { return at_ == tokens_.size() || failed_; }
  [[nodiscard]] bool failed() const { return failed_; }
  bool take(std::string_view token) {
    if (at_end() || tokens_[at_] != token) return false;
    ++at_;
    return true;
  }
  void need(std::string_view token) {
    if (!take(token)) give_up();
  }
  std::string next() {
    if (at_end()) {
      give_up();
      return {};
    }
    return tokens_[at_++];
  }
  void give_up() {
    if (std::exchange(failed_, true)) return;
    std::string text;
    for (const auto& token : tokens_) text += token + " ";
    all_.complain_(fmt::format("this expression of DynamoDB's is not simulated: {}", text));
  }

  std::string name() {
    const std::string token = next();
    if (failed_ || !is_name(token)) {
      give_up();
      return {};
    }
    return all_.resolve(token);
  }
  Attribute attribute(std::string_view name) const {
    const auto* value = item_ == nullptr ? nullptr : item_->if_contains(name);
    return value == nullptr ? std::nullopt : Attribute(value->as_object());
  }
  Attribute operand() {
    if (at_end()) {
      give_up();
      return std::nullopt;
    }
    if (tokens_[at_].starts_with(':')) {
      const auto* values = placeholders(all_.request_, "ExpressionAttributeValues");
      const std::string token = next();
      const auto* value = values == nullptr ? nullptr : values->if_contains(token);
      return value == nullptr || !value->is_object() ? std::nullopt : Attribute(value->get_object());
    }
    if (!take("if_not_exists")) return attribute(name());
    need("(");
    auto there = attribute(name());
    need(",");
    auto otherwise = operand();
    need(")");
    return there ? there : otherwise;
  }
  // An operand, or the sum or difference of two.
  Attribute value() {
    auto left = operand();
    const bool plus = take("+");
    if (!plus && !take("-")) return left;
    return sum(left, operand(), plus ? 1 : -1);
  }
  Attribute sum(const Attribute& a, const Attribute& b, int sign) {
    const auto left = a ? read_decimal(text_of(*a, "N")) : std::nullopt;
    const auto right = b ? read_decimal(text_of(*b, "N")) : std::nullopt;
    if (!left || !right) {
      give_up();
      return std::nullopt;
    }
    return json::object{{"N", to_text({left->millionths + sign * right->millionths})}};
  }

  bool condition() {
    bool all = term();
    while (take("AND")) all = term() && all;
    if (!at_end()) give_up();
    return all;
  }

 private:
  bool term() {
    const bool wants = take("attribute_exists");
    if (wants || take("attribute_not_exists")) {
      need("(");
      const bool there = attribute(name()).has_value();
      need(")");
      return there == wants;
    }
    const auto left = operand();
    const std::string operation = next();
    constexpr std::array<std::string_view, 6> kOperations{"=", "<>", "<", "<=", ">", ">="};
    if (std::ranges::find(kOperations, operation) == kOperations.end()) give_up();
    const auto right = operand();
    return satisfies(operation, left, right);
  }

  const DynamoDbExpressions& all_;
  const Tokens& tokens_;
  const DynamoDbItem* item_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

Answered<void> DynamoDbExpressions::check() {
  std::set<std::string> used;
  for (const auto expression : kExpressions) {
    if (!request_.contains(expression)) continue;
    auto& tokens = tokens_[std::string(expression)] = split(text_of(request_, expression));
    if (tokens.empty()) return validation_error(fmt::format("Invalid {}: empty", expression));
    for (const auto& token : tokens) {
      if (token.starts_with('#') || token.starts_with(':')) used.insert(token);
      std::string lower = token;
      std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; });
      if (kReserved.contains(lower))
        return validation_error(fmt::format("Attribute name is a reserved keyword; reserved keyword: {}", token));
    }
  }
  std::set<std::string> given;
  for (const char* const member : {"ExpressionAttributeNames", "ExpressionAttributeValues"}) {
    const auto* all = placeholders(request_, member);
    if (all == nullptr) continue;
    for (const auto& entry : *all) given.emplace(entry.key());
  }
  if (used != given) return validation_error("Placeholders are unused in expressions, or not defined");
  return {};
}

const DynamoDbExpressions::Tokens* DynamoDbExpressions::tokens_of(std::string_view expression) const {
  const auto found = tokens_.find(expression);
  return found == tokens_.end() ? nullptr : &found->second;
}

Answered<bool> DynamoDbExpressions::holds(std::string_view expression, const DynamoDbItem* item) const {
  const Tokens* const tokens = tokens_of(expression);
  if (tokens == nullptr) return true;
  Reader reader(*this, *tokens, item);
  const bool result = reader.condition();
  if (reader.failed()) return validation_error("Invalid condition");
  return result;
}

// Everything is reckoned with the values from before it.
Answered<void> DynamoDbExpressions::update(DynamoDbItem& item) const {
  const Tokens* const tokens = tokens_of("UpdateExpression");
  if (tokens == nullptr) return {};
  const DynamoDbItem before = item;
  Reader reader(*this, *tokens, &before);
  const auto put = [&](const std::string& name, Attribute value) {
    if (value) {
      item[name] = std::move(*value);
    } else {
      reader.give_up();
    }
  };
  while (!reader.at_end()) {
    const std::string clause = reader.next();
    do {
      const std::string name = reader.name();
      if (clause == "SET") {
        reader.need("=");
        put(name, reader.value());
      } else if (clause == "REMOVE") {
        item.stable_erase(name);
      } else if (clause == "ADD") {
        const auto more = reader.operand();
        const auto there = reader.attribute(name);
        put(name, there ? reader.sum(there, more, 1) : more);
      } else {
        reader.give_up();
      }
    } while (reader.take(","));
  }
  if (reader.failed()) return validation_error("Invalid UpdateExpression");
  return {};
}

Answered<DynamoDbItem> DynamoDbExpressions::project(const DynamoDbItem& item) const {
  const Tokens* const tokens = tokens_of("ProjectionExpression");
  if (tokens == nullptr) return item;
  Reader reader(*this, *tokens, &item);
  DynamoDbItem left;
  do {
    const std::string name = reader.name();
    if (auto value = reader.attribute(name)) left[name] = std::move(*value);
  } while (reader.take(","));
  if (!reader.at_end()) reader.give_up();
  if (reader.failed()) return validation_error("Invalid ProjectionExpression");
  return left;
}

std::string DynamoDbExpressions::resolve(const std::string& token) const {
  if (!token.starts_with('#')) return token;
  const auto* names = placeholders(request_, "ExpressionAttributeNames");
  return names == nullptr ? "" : text_of(*names, token);
}

std::vector<std::string> DynamoDbExpressions::names_in(std::string_view expression) const {
  std::vector<std::string> found;
  const Tokens* const tokens = tokens_of(expression);
  if (tokens == nullptr) return found;
  for (const auto& token : *tokens) {
    if (is_name(token)) found.push_back(resolve(token));
  }
  return found;
}

std::optional<std::string> DynamoDbExpressions::text_equal_to(std::string_view expression,
                                                              std::string_view name) const {
  const Tokens* const tokens = tokens_of(expression);
  const auto* values = placeholders(request_, "ExpressionAttributeValues");
  for (std::size_t i = 0; tokens != nullptr && values != nullptr && i + 2 < tokens->size(); ++i) {
    if (!is_name((*tokens)[i]) || resolve((*tokens)[i]) != name || (*tokens)[i + 1] != "=") continue;
    const auto* value = values->if_contains((*tokens)[i + 2]);
    if (value != nullptr && value->is_object()) return text_of(value->get_object(), "S");
  }
  return std::nullopt;
}

}  // namespace infra::simulation
