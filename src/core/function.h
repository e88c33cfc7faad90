// A deployed function as the platform knows it, and the rules its fields obey wherever they come from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/ids.h"
#include "core/limits.h"
#include "core/time.h"

namespace infra {

enum class Runtime : std::uint8_t { python, nodejs, cpp, go };

[[nodiscard]] std::string_view to_string(Runtime runtime);
// Its functions are programs: they come as source to compile, or as a ready binary.
[[nodiscard]] constexpr bool is_compiled(Runtime runtime) {
  return runtime == Runtime::cpp || runtime == Runtime::go;
}
[[nodiscard]] Result<Runtime> parse_runtime(std::string_view text);

// The network that a function has by itself; the AI node is reached through the AI proxy either way.
enum class Network : std::uint8_t {
  none,
  egress,  // outbound connections to public addresses
};

[[nodiscard]] std::string_view to_string(Network network);
[[nodiscard]] Result<Network> parse_network(std::string_view text);

using Environment = std::map<std::string, std::string>;

// As rows keep it: a JSON object of strings.
[[nodiscard]] std::string to_json(const Environment& env);
// Nullopt if `json` is no object; members that are no strings are left out.
[[nodiscard]] std::optional<Environment> parse_environment(std::string_view json);

// Where a version's bundle is. `key` is the store's name for it ("functions/<id>/<version>.zip"); equal bundles have
// equal `sha256` (64 lower-case hex digits), which is empty in rows that the reference platform wrote.
struct CodeRef {
  std::string key;
  std::string sha256;
  bool operator==(const CodeRef&) const = default;
};

struct Function {
  FunctionId id;
  std::string name;
  std::string description;
  std::string original_name;  // of the uploaded file
  Runtime runtime = Runtime::python;
  int memory_mb = limits::kDefaultMemoryMb;
  milliseconds timeout = limits::kDefaultTimeout;
  Environment env;
  Network network = Network::none;
  int keep_warm = 0;        // instances a worker keeps, whether they are called or not
  int max_concurrency = 0;  // runs at once over the whole platform; 0: no limit of its own
  CodeRef code;
  std::int64_t version = 1;  // one more with every change of code or settings
  WallTime uploaded_at;
  WallTime updated_at;
  // Counters; durations in milliseconds.
  std::int64_t invocations = 0;
  double total_duration_ms = 0;
  std::int64_t handler_invocations = 0;
  double total_handler_ms = 0;
};

// Of a row without an s3Key, which the reference platform leaves behind: it counts a run after the function was
// deleted, and creates what a PUT to an unknown id names.
[[nodiscard]] Error function_has_no_code();

// The fields that a PUT may change; unset ones stay.
struct FunctionChange {
  std::optional<std::string> name;
  std::optional<std::string> description;
  std::optional<int> memory_mb;
  std::optional<milliseconds> timeout;
  std::optional<Environment> env;
  std::optional<Network> network;
  std::optional<int> keep_warm;
  std::optional<int> max_concurrency;
  std::optional<CodeRef> code;
  std::optional<std::string> original_name;  // goes with `code`
  [[nodiscard]] bool empty() const;
};

// Each returns the value or an `invalid` error that names the field and what is allowed.
[[nodiscard]] Result<std::string> check_name(std::string_view text);
[[nodiscard]] Result<std::string> check_description(std::string_view text);
[[nodiscard]] Result<int> check_memory_mb(std::int64_t value);
// Of the field `memory`, the reference dashboard's memoryMb: its recommendations begin at 1 MB, which means the least
// that there is.
[[nodiscard]] Result<int> check_memory(std::int64_t value);
[[nodiscard]] Result<milliseconds> check_timeout_ms(std::int64_t value);
[[nodiscard]] Result<int> check_keep_warm(std::int64_t value);
[[nodiscard]] Result<int> check_max_concurrency(std::int64_t value);
[[nodiscard]] Result<Environment> check_environment(Environment env);
// How many threads Node.js's pool is to have (UV_THREADPOOL_SIZE), which must be known before the process starts; 0 if
// that is left to Node.js.
[[nodiscard]] int thread_pool_size(Runtime runtime, const Environment& env);

// Fields that arrive as text, in a header or a form.
[[nodiscard]] Result<int> parse_memory_mb(std::string_view text);
[[nodiscard]] Result<int> parse_memory(std::string_view text);
[[nodiscard]] Result<milliseconds> parse_timeout_ms(std::string_view text);
[[nodiscard]] Result<int> parse_keep_warm(std::string_view text);
[[nodiscard]] Result<int> parse_max_concurrency(std::string_view text);

}  // namespace infra
