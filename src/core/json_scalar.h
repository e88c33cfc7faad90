// What a string's or a number's valid JSON text stands for, read without building anything else of it: whatever is
// asked for as a string costs nothing where an array of a million values stands.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace infra {

// Nullopt if it is no string. At most about `max_bytes` of it, cut before a character. What is no Unicode, a
// surrogate's escape without its other half, becomes U+FFFD.
[[nodiscard]] std::optional<std::string> json_string_value(
    std::string_view json, std::size_t max_bytes = std::numeric_limits<std::size_t>::max());

// Nullopt if it is no number, or none that a double holds.
[[nodiscard]] std::optional<double> json_number_value(std::string_view json);

}  // namespace infra
