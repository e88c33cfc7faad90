#include "core/json_text.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "core/json_scanner.h"
#include "core/text.h"

namespace infra {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// How a control character, a quote or a backslash is written.
std::string_view escape_of(char c, std::array<char, 6>& room) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      fmt::format_to_n(room.data(), room.size(), "\\u{:04x}", static_cast<unsigned>(c));
      return {room.data(), room.size()};
  }
}

// Calls `write` with each part of what stands between the quotes.
template <typename Write>
void write_escaped(std::string_view text, Write write) {
  std::array<char, 6> room{};
  while (!text.empty()) {
    const std::size_t plain = plain_text_length(text);
    if (plain > 0) write(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    if (static_cast<unsigned char>(text.front()) < 0x80) {
      write(escape_of(text.front(), room));
      text.remove_prefix(1);
    } else {
      const std::size_t length = utf8_length(text);
      write(length > 0 ? text.substr(0, length) : kReplacement);
      text.remove_prefix(length > 0 ? length : 1);
    }
  }
}

}  // namespace

void append_json_string(std::string& json, std::string_view text) {
  json += '"';
  write_escaped(text, [&](std::string_view part) { json += part; });
  json += '"';
}

std::size_t json_string_size(std::string_view text) {
  std::size_t size = 2;
  write_escaped(text, [&](std::string_view part) { size += part.size(); });
  return size;
}

std::string json_quote(std::string_view text) {
  std::string json;
  json.reserve(text.size() + 2);
  append_json_string(json, text);
  return json;
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";  // as JavaScript does: JSON has no word for it
  // Larger ones have no thousandths, and some no thousandfold.
  constexpr double kLargestWithDecimals = 1e15;
  if (std::abs(value) >= kLargestWithDecimals) return fmt::format("{}", value);
  return fmt::format("{}", std::round(value * 1000) / 1000);
}

std::string json_counts(const std::map<std::string, int>& counts) {
  std::string text = "{";
  for (const auto& [name, count] : counts) {
    text += fmt::format("{}{}:{}", text.size() > 1 ? "," : "", json_quote(name), count);
  }
  return text + "}";
}

}  // namespace infra
