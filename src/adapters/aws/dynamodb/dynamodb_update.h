// DynamoDB's update expressions, clause by clause, with every name and value behind a placeholder: many of the names
// that rows have are reserved words there.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace infra::aws {

class DynamoDbUpdate {
 public:
  void set(std::string_view name, boost::json::object value);
  void remove(std::string_view name);
  void add(std::string_view name, boost::json::object number);
  // One more than it is; a row that has none is at 1.
  void increment_version(std::string_view name);

  // Adds UpdateExpression and the names and values that it speaks of.
  void write_to(boost::json::object& request) const;

 private:
  std::string set_, remove_, add_;
  boost::json::object names_;
  boost::json::object values_;
};

}  // namespace infra::aws
