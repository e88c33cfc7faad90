// Where a run's output file lies in the code store, its key following from its name alone.
#pragma once

#include <string>
#include <string_view>

#include "core/ids.h"

namespace infra {

// May a file that a function left be kept under this name? UTF-8 without control characters, 255 bytes at most.
[[nodiscard]] bool is_output_name(std::string_view name);

// outputs/<function>/<request>/<name>; a name that no object may have is hashed: …/_/<SHA-256>. If an id is none of
// ours, the key may be one that every store refuses (core/object_key.h).
[[nodiscard]] std::string output_key(const FunctionId& function, const RequestId& request, std::string_view name);

inline constexpr std::string_view kOutputPrefix = "outputs";

}  // namespace infra
