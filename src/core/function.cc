#include "core/function.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>

#include "core/error_codes.h"
#include "core/json_value.h"
#include "core/text.h"

namespace infra {
namespace {

constexpr std::array<std::string_view, 4> kRuntimeNames = {"python", "nodejs", "cpp", "go"};

constexpr std::array<std::string_view, 2> kNetworkNames = {"none", "egress"};

// Names the platform sets, or that change how a process is loaded before the function's own code runs.
constexpr std::array<std::string_view, 14> kReservedNames = {
    "JOB_ID", "FUNCTION_ID", "LLM_MODEL",    "MEMORY_MB",    "AI_ENDPOINT", "OUTPUT_DIR", "PAYLOAD",
    "PATH",   "HOME",        "PAYLOAD_FILE", "NODE_OPTIONS", "NODE_PATH",   "IFS",        "GCONV_PATH"};
constexpr std::array<std::string_view, 5> kReservedPrefixes = {"LD_", "PYTHON", "INFRA_", "GLIBC_", "MALLOC_"};

std::optional<std::int64_t> parse_whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

constexpr std::string_view kThreadPoolName = "UV_THREADPOOL_SIZE";

constexpr int kLargestThreadPool = 1024;  // that libuv knows of

std::optional<int> parse_thread_pool(std::string_view text) {
  const auto size = parse_whole(text);
  if (!size || *size < 1 || *size > kLargestThreadPool) return std::nullopt;
  return std::min(static_cast<int>(*size), limits::kMaxThreadPool);
}

std::unexpected<Error> invalid_memory() {
  return fail(errors::invalid_memory, fmt::format("Invalid memoryMb: it must be a whole number from {} to {}.",
                                                  limits::kMinMemoryMb, limits::kMaxMemoryMb));
}

std::unexpected<Error> invalid_timeout() {
  return fail(errors::invalid_timeout, fmt::format("timeoutMs must be a whole number from {} to {}.",
                                                   limits::kMinTimeout.count(), limits::kMaxTimeout.count()));
}

std::unexpected<Error> invalid_keep_warm() {
  return fail(errors::invalid_keep_warm,
              fmt::format("keepWarm must be a whole number from 0 to {}.", limits::kMaxKeepWarm));
}

std::unexpected<Error> invalid_max_concurrency() {
  return fail(
      errors::invalid_max_concurrency,
      fmt::format("maxConcurrency must be a whole number from 1 to {}, or 0 for no limit.", limits::kMaxConcurrency));
}

bool has_control_characters(std::string_view text, std::string_view allowed) {
  return std::ranges::any_of(text, [&](char c) {
    return (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) && allowed.find(c) == std::string_view::npos;
  });
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

std::string_view to_string(Runtime runtime) {
  return kRuntimeNames[static_cast<std::size_t>(runtime)];
}

Result<Runtime> parse_runtime(std::string_view text) {
  const auto found = std::ranges::find(kRuntimeNames, text);
  if (found == kRuntimeNames.end()) {
    return fail(errors::invalid_runtime, "runtime must be one of python, nodejs, cpp, go.");
  }
  return static_cast<Runtime>(found - kRuntimeNames.begin());
}

std::string_view to_string(Network network) {
  return kNetworkNames[static_cast<std::size_t>(network)];
}

Result<Network> parse_network(std::string_view text) {
  const auto found = std::ranges::find(kNetworkNames, text);
  if (found == kNetworkNames.end()) {
    return fail(errors::invalid_network, "network must be one of none, egress.");
  }
  return static_cast<Network>(found - kNetworkNames.begin());
}

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

Error function_has_no_code() {
  return {errors::function_has_no_code,
          "This function has no code; give it a ZIP with PUT /functions/<functionId>, or remove it with DELETE."};
}

int thread_pool_size(Runtime runtime, const Environment& env) {
  const auto set = runtime == Runtime::nodejs ? env.find(std::string(kThreadPoolName)) : env.end();
  return set == env.end() ? 0 : parse_thread_pool(set->second).value_or(0);
}

bool FunctionChange::empty() const {
  return !name && !description && !memory_mb && !timeout && !env && !network && !keep_warm && !max_concurrency && !code;
}

Result<std::string> check_name(std::string_view text) {
  if (text.empty() || text.size() > limits::kMaxNameBytes || !is_valid_utf8(text) || has_control_characters(text, "")) {
    return fail(
        errors::invalid_name,
        fmt::format("name must be 1 to {} bytes of UTF-8 text without control characters.", limits::kMaxNameBytes));
  }
  return std::string(text);
}

Result<std::string> check_description(std::string_view text) {
  if (text.size() > limits::kMaxDescriptionBytes || !is_valid_utf8(text) || has_control_characters(text, "\n\r\t")) {
    return fail(errors::invalid_description,
                fmt::format("description must be at most {} bytes of UTF-8 text.", limits::kMaxDescriptionBytes));
  }
  return std::string(text);
}

Result<int> check_memory_mb(std::int64_t value) {
  if (value < limits::kMinMemoryMb || value > limits::kMaxMemoryMb) return invalid_memory();
  return static_cast<int>(value);
}

Result<int> check_memory(std::int64_t value) {
  if (value < 1 || value > limits::kMaxMemoryMb) {
    return fail(
        errors::invalid_memory,
        fmt::format("Invalid memoryMb: memory must be a whole number from 1 to {}; below {} it is raised to that.",
                    limits::kMaxMemoryMb, limits::kMinMemoryMb));
  }
  return std::max(static_cast<int>(value), limits::kMinMemoryMb);
}

Result<milliseconds> check_timeout_ms(std::int64_t value) {
  if (value < limits::kMinTimeout.count() || value > limits::kMaxTimeout.count()) return invalid_timeout();
  return milliseconds{value};
}

Result<int> check_keep_warm(std::int64_t value) {
  if (value < 0 || value > limits::kMaxKeepWarm) return invalid_keep_warm();
  return static_cast<int>(value);
}

Result<int> check_max_concurrency(std::int64_t value) {
  if (value < 0 || value > limits::kMaxConcurrency) return invalid_max_concurrency();
  return static_cast<int>(value);
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

Result<int> parse_memory_mb(std::string_view text) {
  const auto value = parse_whole(text);
  return value ? check_memory_mb(*value) : Result<int>{invalid_memory()};
}

Result<int> parse_memory(std::string_view text) {
  return check_memory(parse_whole(text).value_or(0));
}

Result<milliseconds> parse_timeout_ms(std::string_view text) {
  const auto value = parse_whole(text);
  return value ? check_timeout_ms(*value) : Result<milliseconds>{invalid_timeout()};
}

Result<int> parse_keep_warm(std::string_view text) {
  const auto value = parse_whole(text);
  return value ? check_keep_warm(*value) : Result<int>{invalid_keep_warm()};
}

Result<int> parse_max_concurrency(std::string_view text) {
  const auto value = parse_whole(text);
  return value ? check_max_concurrency(*value) : Result<int>{invalid_max_concurrency()};
}

}  // namespace infra
