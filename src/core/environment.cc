#include "core/environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <utility>

#include "core/error_codes.h"
#include "core/json_value.h"
#include "core/limits.h"
#include "core/text.h"

namespace infra {
namespace {

// Names the platform sets, or that change how a process is loaded before the function's own code runs.
constexpr std::array<std::string_view, 15> kReservedNames = {
    "JOB_ID", "FUNCTION_ID",  "LLM_MODEL",    "MEMORY_MB", "AI_ENDPOINT", "OUTPUT_DIR", "PAYLOAD",    "PATH",
    "HOME",   "PAYLOAD_FILE", "NODE_OPTIONS", "NODE_PATH", "IFS",         "GCONV_PATH", "TRACEPARENT"};
constexpr std::array<std::string_view, 5> kReservedPrefixes = {"LD_", "PYTHON", "INFRA_", "GLIBC_", "MALLOC_"};

constexpr std::string_view kThreadPoolName = "UV_THREADPOOL_SIZE";

constexpr int kLargestThreadPool = 1024;  // that libuv knows of

std::optional<int> parse_thread_pool(std::string_view text) {
  const auto size = parse_whole(text);
  if (!size || *size < 1 || *size > kLargestThreadPool) return std::nullopt;
  return std::min(static_cast<int>(*size), limits::kMaxThreadPool);
}

Result<void> check_env_entry(const std::string& name, const std::string& value) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const bool well_formed = !name.empty() && letter(name.front()) &&
                           std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
  if (!well_formed) {
    return fail(errors::invalid_env_vars,
                fmt::format("envVars: the name \"{}\" must match [A-Za-z_][A-Za-z0-9_]*.", name.substr(0, 64)));
  }
  const bool reserved = std::ranges::find(kReservedNames, name) != kReservedNames.end() ||
                        std::ranges::any_of(kReservedPrefixes, [&](auto prefix) { return name.starts_with(prefix); });
  if (reserved) {
    return fail(
        errors::reserved_env_var,
        fmt::format("envVars: {} is used by the platform or the loader; choose another name.", name.substr(0, 64)));
  }
  if (value.find('\0') != std::string::npos || !is_valid_utf8(value)) {
    return fail(errors::invalid_env_vars,
                fmt::format("envVars: the value of {} must be UTF-8 text without NUL characters.", name.substr(0, 64)));
  }
  if (name == kThreadPoolName && !parse_thread_pool(value)) {
    return fail(errors::invalid_env_vars,
                fmt::format("envVars: {} must be a whole number from 1 to {}.", name, kLargestThreadPool));
  }
  return {};
}

}  // namespace

std::string to_json(const Environment& env) {
  boost::json::object object;
  for (const auto& [name, value] : env) object.emplace(name, value);
  return boost::json::serialize(object);
}

std::optional<Environment> parse_environment(std::string_view json) {
  const auto parsed = parse_json(json);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  Environment env;
  for (const auto& [name, value] : parsed->get_object()) {
    if (value.is_string()) env.emplace(name, value.get_string());
  }
  return env;
}

Result<Environment> check_environment(Environment env) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : env) {
    if (auto ok = check_env_entry(name, value); !ok) return fail(ok.error());
    bytes += name.size() + value.size();
  }
  if (bytes > limits::kMaxEnvBytes) {
    return fail(
        errors::invalid_env_vars,
        fmt::format("envVars must be at most {} bytes in all, names and values together.", limits::kMaxEnvBytes));
  }
  return env;
}

Result<Environment> read_environment(const boost::json::value& value) {
  const auto invalid = [] {
    return fail(errors::invalid_env_vars, "envVars must be a JSON object whose values are strings.");
  };
  if (!value.is_object()) return invalid();
  Environment env;
  for (const auto& [name, text] : value.get_object()) {
    if (!text.is_string()) return invalid();
    env.emplace(std::string(name), std::string(text.get_string()));
  }
  return check_environment(std::move(env));
}

int thread_pool_size(Runtime runtime, const Environment& env) {
  const auto set = is_sized_at_start(runtime) ? env.find(std::string(kThreadPoolName)) : env.end();
  return set == env.end() ? 0 : parse_thread_pool(set->second).value_or(0);
}

}  // namespace infra
