// DynamoDB's expressions as our adapters write them: conditions (comparisons, attribute_exists, attribute_not_exists,
// AND), updates (SET with if_not_exists and sums, REMOVE, ADD) and projections of whole attributes. Anything else is
// outside of the simulation and said so.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/engines/aws/simulated_service.h"

namespace infra::simulation {

using DynamoDbItem = boost::json::object;  // attribute name -> {"S": …}, {"N": …} or {"BOOL": …}

// The expressions of one request, with the names and values that its placeholders stand for; it outlives them. Every
// refusal is a ValidationException.
class DynamoDbExpressions {
 public:
  using Complain = std::function<void(const std::string&)>;
  DynamoDbExpressions(const boost::json::object& request, const Complain& complain)
      : request_(request), complain_(complain) {}

  // Before they are used: whether they name all placeholders that there are, and none that there is not.
  [[nodiscard]] Answered<void> check();

  // Whether the request's expression of this name holds; true if it has none. `item` may be null: there is no such row.
  [[nodiscard]] Answered<bool> holds(std::string_view expression, const DynamoDbItem* item) const;
  // Does as UpdateExpression says.
  [[nodiscard]] Answered<void> update(DynamoDbItem& item) const;
  // What is left of it by ProjectionExpression, if there is one.
  [[nodiscard]] Answered<DynamoDbItem> project(const DynamoDbItem& item) const;
  // The attributes that an expression speaks of.
  [[nodiscard]] std::vector<std::string> names_in(std::string_view expression) const;
  // The text that it says an attribute is equal to; nullopt if it says no such thing.
  [[nodiscard]] std::optional<std::string> text_equal_to(std::string_view expression, std::string_view name) const;

 private:
  class Reader;
  using Tokens = std::vector<std::string>;
  [[nodiscard]] std::string resolve(const std::string& token) const;
  [[nodiscard]] const Tokens* tokens_of(std::string_view expression) const;

  const boost::json::object& request_;
  const Complain& complain_;
  std::map<std::string, Tokens, std::less<>> tokens_;  // by the expression's name
};

[[nodiscard]] std::unexpected<Refusal> validation_error(std::string message);

}  // namespace infra::simulation
