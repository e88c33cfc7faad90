#include "http/json_fields.h"

namespace infra::http {

namespace json = boost::json;

Result<json::object> read_object(std::string_view document) {
  const auto members = read_members(document);
  if (!members) return fail(members.error());
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  return json::parse(json::string_view(document.data(), document.size()), {}, options).as_object();
}

Result<Environment> read_environment(const json::value& value) {
  const auto invalid = [] {
    return fail(ErrorKind::invalid, "invalid_env_vars", "envVars must be a JSON object whose values are strings.");
  };
  if (!value.is_object()) return invalid();
  Environment env;
  for (const auto& [name, text] : value.get_object()) {
    if (!text.is_string()) return invalid();
    env.emplace(std::string(name), std::string(text.get_string()));
  }
  return check_environment(std::move(env));
}

}  // namespace infra::http
