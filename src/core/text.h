// Text as bytes from strangers: is it UTF-8, and what to do where it is not or where there is too much of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace infra {

// Length of the valid UTF-8 character at the front of `text`; 0 if there is none.
[[nodiscard]] std::size_t utf8_length(std::string_view text);
[[nodiscard]] bool is_valid_utf8(std::string_view text);
// Each byte that belongs to no character becomes U+FFFD.
[[nodiscard]] std::string replace_invalid_utf8(std::string_view text);
// At most `max_bytes`, cut before the character that would cross it.
[[nodiscard]] std::string_view cut_utf8(std::string_view text, std::size_t max_bytes);

// At most `max_units` of UTF-16, as JavaScript counts, and then three full stops if something was cut off. `text` is
// valid UTF-8; no character is cut in two.
[[nodiscard]] std::string shorten(std::string_view text, std::size_t max_units);

// Without white space at both ends.
[[nodiscard]] std::string_view trim(std::string_view text, std::string_view space = " \t\r\n");

// A whole number of decimal digits, with a minus before it or nothing; nullopt for all else.
[[nodiscard]] std::optional<std::int64_t> parse_whole(std::string_view text);

// A to Z only, whatever the locale: header names and values, media types.
[[nodiscard]] std::string ascii_lower(std::string_view text);

}  // namespace infra
