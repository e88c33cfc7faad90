// A function's environment variables, and the rules that they obey wherever they come from.
#pragma once

#include <boost/json/value.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/runtime.h"

namespace infra {

using Environment = std::map<std::string, std::string>;

// As rows keep it: a JSON object of strings.
[[nodiscard]] std::string to_json(const Environment& env);
// Nullopt if `json` is no object; members that are no strings are left out.
[[nodiscard]] std::optional<Environment> parse_environment(std::string_view json);

// Each returns the value or an `invalid` error (code invalid_env_vars, reserved_env_var) that names the variable and
// what is allowed, never a value.
[[nodiscard]] Result<Environment> check_environment(Environment env);
[[nodiscard]] Result<Environment> read_environment(const boost::json::value& value);

// How many threads a pool is to have that must be known before the process starts (Node.js': UV_THREADPOOL_SIZE); 0 if
// that is left to the runtime, or if it has none.
[[nodiscard]] int thread_pool_size(Runtime runtime, const Environment& env);

}  // namespace infra
