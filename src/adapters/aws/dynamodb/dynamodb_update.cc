#include "adapters/aws/dynamodb/dynamodb_update.h"

#include <fmt/format.h>

#include <utility>

namespace infra::aws {
namespace {

void append(std::string& clause, std::string_view text) {
  if (!clause.empty()) clause += ", ";
  clause += text;
}

}  // namespace

void DynamoDbUpdate::set(std::string_view name, boost::json::object value) {
  values_[fmt::format(":{}", name)] = std::move(value);
  names_[fmt::format("#{}", name)] = name;
  append(set_, fmt::format("#{0} = :{0}", name));
}

void DynamoDbUpdate::remove(std::string_view name) {
  names_[fmt::format("#{}", name)] = name;
  append(remove_, fmt::format("#{}", name));
}

void DynamoDbUpdate::add(std::string_view name, boost::json::object number) {
  values_[fmt::format(":{}", name)] = std::move(number);
  names_[fmt::format("#{}", name)] = name;
  append(add_, fmt::format("#{0} :{0}", name));
}

void DynamoDbUpdate::increment_version(std::string_view name) {
  values_[":one"] = boost::json::object{{"N", "1"}};
  names_[fmt::format("#{}", name)] = name;
  append(set_, fmt::format("#{0} = if_not_exists(#{0}, :one) + :one", name));
}

void DynamoDbUpdate::write_to(boost::json::object& request) const {
  std::string expression;
  const auto clause = [&](std::string_view verb, const std::string& text) {
    if (!text.empty()) expression += fmt::format("{}{} {}", expression.empty() ? "" : " ", verb, text);
  };
  clause("SET", set_);
  clause("REMOVE", remove_);
  clause("ADD", add_);
  request["UpdateExpression"] = expression;
  request["ExpressionAttributeNames"] = names_;
  if (!values_.empty()) request["ExpressionAttributeValues"] = values_;
}

}  // namespace infra::aws
