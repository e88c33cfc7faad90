#include "adapters/aws/wire/stored_environment.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <string>
#include <utility>

#include "core/json_value.h"

namespace infra::aws {
namespace {

namespace json = boost::json;

std::string as_python_writes(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_bool()) return value.get_bool() ? "True" : "False";
  if (value.is_null()) return "None";
  if (value.is_double()) return fmt::format("{}", value.get_double());
  return json::serialize(value);
}

}  // namespace

Environment read_stored_environment(std::string_view text) {
  auto value = parse_json(text).value_or(nullptr);
  if (value.is_string()) value = parse_json(std::string(value.get_string())).value_or(nullptr);
  Environment env;
  if (!value.is_object()) return env;
  for (const auto& [name, entry] : value.get_object()) {
    std::string said = as_python_writes(entry);
    if (check_environment({{std::string(name), said}})) env.emplace(name, std::move(said));
  }
  return env;
}

}  // namespace infra::aws
