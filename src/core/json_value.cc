#include "core/json_value.h"

#include <charconv>
#include <cmath>

#include "core/json_cursor.h"

namespace infra {
namespace {

namespace json = boost::json;

// The code unit that an escape "\uXXXX" at `at` stands for; 0 if none is there.
unsigned code_unit(std::string_view text, std::size_t at) {
  if (!text.substr(std::min(at, text.size())).starts_with("\\u") || text.size() - at < 6) return 0;
  unsigned unit = 0;
  const char* const end = text.data() + at + 6;
  return std::from_chars(text.data() + at + 2, end, unit, 16).ptr == end ? unit : 0;
}

bool is_high(unsigned unit) {
  return unit >= 0xd800 && unit <= 0xdbff;
}

bool is_low(unsigned unit) {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

// The text with \ufffd for each surrogate that belongs to no pair. In valid JSON a backslash begins an escape.
std::string without_lone_surrogates(std::string_view text) {
  std::string whole(text);
  for (auto at = text.find('\\'); at != std::string_view::npos; at = text.find('\\', at)) {
    const unsigned unit = code_unit(text, at);
    if (unit == 0) {
      at += 2;
    } else if (is_high(unit) && is_low(code_unit(text, at + 6))) {
      at += 12;
    } else {
      if (is_high(unit) || is_low(unit)) whole.replace(at, 6, "\\ufffd");
      at += 6;
    }
  }
  return whole;
}

// Boost takes a zero times ten to the 999th, which no double holds, for no number.
void mend_zeros(json::value& value) {
  if (auto* number = value.if_double(); number != nullptr && std::isnan(*number)) *number = 0;
  if (auto* array = value.if_array()) {
    for (auto& element : *array) mend_zeros(element);
  } else if (auto* object = value.if_object()) {
    for (auto& member : *object) mend_zeros(member.value());
  }
}

}  // namespace

std::optional<json::value> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::system::error_code broken;
  auto value = json::parse(json::string_view(text.data(), text.size()), broken, {}, options);
  if (broken && broken != json::error::too_deep)
    value = json::parse(without_lone_surrogates(text), broken, {}, options);
  if (broken) return std::nullopt;
  if (text.find("0e") != std::string_view::npos || text.find("0E") != std::string_view::npos) mend_zeros(value);
  return value;
}

}  // namespace infra
