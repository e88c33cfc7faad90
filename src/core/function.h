// A deployed function as the platform knows it, and how it changes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/function_settings.h"
#include "core/ids.h"
#include "core/time.h"

namespace infra {

// Where a version's bundle is. `key` is the store's name for it (core/object_keys.h); equal bundles have equal `sha256`
// (64 lower-case hex digits), which is empty in rows that the reference platform wrote.
struct CodeRef {
  std::string key;
  std::string sha256;
  bool operator==(const CodeRef&) const = default;
};

struct Function : FunctionSettings {
  FunctionId id;
  std::string original_name;  // of the uploaded file
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

// What a PUT changes; the rest stays.
struct FunctionChange : SettingsChange {
  std::optional<CodeRef> code;
  std::optional<std::string> original_name;  // goes with `code`
  [[nodiscard]] bool empty() const { return !names_any() && !code; }
};

// The function as it is after the change.
[[nodiscard]] Function apply(Function function, const FunctionChange& change, WallTime now);

}  // namespace infra
