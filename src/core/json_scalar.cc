#include "core/json_scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "core/text.h"

namespace infra {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::size_t kUnitLength = 6;                     // \uXXXX

// The code unit of an escape \uXXXX at the front; nullopt if there is none.
std::optional<std::uint32_t> code_unit(std::string_view text) {
  if (!text.starts_with("\\u") || text.size() < kUnitLength) return std::nullopt;
  std::uint32_t unit = 0;
  const char* const end = text.data() + kUnitLength;
  if (std::from_chars(text.data() + 2, end, unit, 16).ptr != end) return std::nullopt;
  return unit;
}

void append_utf8(std::string& to, std::uint32_t point) {
  const auto rest = [&](int shift) { to += static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
  if (point < 0x80) {
    to += static_cast<char>(point);
  } else if (point < 0x800) {
    to += static_cast<char>(0xc0 | (point >> 6));
    rest(0);
  } else if (point < 0x10000) {
    to += static_cast<char>(0xe0 | (point >> 12));
    rest(6);
    rest(0);
  } else {
    to += static_cast<char>(0xf0 | (point >> 18));
    rest(12);
    rest(6);
    rest(0);
  }
}

// Takes the escape \uXXXX at the front, and a surrogate's other half if it follows.
void unescape_unit(std::string_view& text, std::string& to) {
  const std::uint32_t unit = code_unit(text).value_or(0xfffd);
  text.remove_prefix(std::min(kUnitLength, text.size()));
  if (unit < 0xd800 || unit > 0xdfff) return append_utf8(to, unit);
  const auto low = unit < 0xdc00 ? code_unit(text) : std::nullopt;
  if (!low || *low < 0xdc00 || *low > 0xdfff) {
    to += kReplacement;
    return;
  }
  text.remove_prefix(kUnitLength);
  append_utf8(to, 0x10000 + ((unit - 0xd800) << 10) + (*low - 0xdc00));
}

char simple_escape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;  // a quote, a backslash, a slash
  }
}

}  // namespace

std::optional<std::string> json_string_value(std::string_view json, std::size_t max_bytes) {
  if (json.size() < 2 || json.front() != '"') return std::nullopt;
  std::string_view rest = json.substr(1, json.size() - 2);
  std::string text;
  text.reserve(std::min(rest.size(), max_bytes));
  while (!rest.empty() && text.size() < max_bytes) {
    const std::size_t plain = std::min(rest.find('\\'), rest.size());
    const std::string_view fits = cut_utf8(rest.substr(0, plain), max_bytes - text.size());
    text += fits;
    if (fits.size() < plain) break;
    rest.remove_prefix(plain);
    if (rest.size() < 2) continue;
    if (rest[1] == 'u') {
      unescape_unit(rest, text);
    } else {
      text += simple_escape(rest[1]);
      rest.remove_prefix(2);
    }
  }
  return text;
}

std::optional<double> json_number_value(std::string_view json) {
  double number = 0;
  const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), number);
  if (error != std::errc{} || end != json.data() + json.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

}  // namespace infra
