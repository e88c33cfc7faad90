// JSON by our scanner is JSON by Boost's parser, with the same members and the same values; cuts change nothing, no
// depth is beyond its bound, and what is written is read back.
#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <string>

#include "core/json_cursor.h"
#include "core/json_members.h"
#include "core/json_object_scanner.h"
#include "core/json_scalar.h"
#include "core/json_text.h"
#include "core/json_value.h"
#include "core/text.h"
#include "fuzz/target.h"

namespace infra::fuzz {
namespace {

namespace json = boost::json;

std::size_t depth_of(std::string_view text) {  // of valid JSON
  std::size_t depth = 0;
  std::size_t most = 0;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (inside && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      inside = !inside;
    } else if (!inside && (text[i] == '{' || text[i] == '[')) {
      most = std::max(most, ++depth);
    } else if (!inside && (text[i] == '}' || text[i] == ']')) {
      --depth;
    }
  }
  return most;
}

// The one thing that is JSON and that Boost can't hold: an exponent beyond an int's.
bool has_huge_exponent(std::string_view text) {
  std::size_t digits = 0;
  bool exponent = false;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (c == 'e' || c == 'E') exponent = true;
    if (!digit && c != 'e' && c != 'E' && c != '+' && c != '-') exponent = false;
    digits = exponent && digit ? digits + 1 : 0;
    if (digits >= 9) return true;
  }
  return false;
}

std::string_view without_bom(std::string_view text) {
  constexpr std::string_view kBom = "\xef\xbb\xbf";
  return text.starts_with(kBom) ? text.substr(kBom.size()) : text;
}

bool near(double a, double b) {
  return a == b || std::abs(a - b) <= 1e-12 * std::max(std::abs(a), std::abs(b));
}

void compare_scalar(std::string_view text, const json::value& value) {
  require(json_string_value(text).has_value() == value.is_string(), "a string is a string");
  if (value.is_string()) {
    const std::string_view expected(value.get_string());
    require(json_string_value(text) == expected, "a string's value is Boost's");
    const std::string start = json_string_value(text, 5).value();
    require(start.size() <= 5 + 4 && is_valid_utf8(start) && expected.starts_with(start),
            "a string's start is its start");
  }
  const auto number = json_number_value(text);
  require(!number || value.is_number(), "a number is a number");
  if (!value.is_number()) return;
  const auto expected = value.to_number<double>();
  if (number) require(near(*number, expected) || std::abs(expected) < 1e-290, "a number's value is Boost's");
  if (std::abs(expected) > 1e-290 && std::abs(expected) < 1e290)
    require(number.has_value(), "an ordinary number has a value");
}

void compare_value(std::string_view text) {
  JsonCursor cursor(text);
  const auto value = cursor.value();
  const bool accepted = value && cursor.at_end();
  const auto parsed = parse_json(without_bom(text));
  if (accepted) {
    require(depth_of(*value) <= kMaxJsonDepth, "what is accepted is no deeper than it may be");
    require(parsed.has_value() || has_huge_exponent(text), "what the scanner accepts Boost does");
    if (parsed) compare_scalar(*value, *parsed);
  } else {
    require(!parsed, "what the scanner refuses Boost does");
  }
}

void compare_members(std::string_view text) {
  const auto object = RawObject::read(text);
  const auto parsed = parse_json(without_bom(text));
  if (!object) {
    using Problem = RawObject::Problem;
    const auto problem = object.error().problem;
    require(!parsed || !parsed->is_object() || problem == Problem::too_many || problem == Problem::duplicate,
            "an object's members are read");
    return;
  }
  require(object->members().size() <= JsonObjectScanner::kMaxMembers, "there are no more members than may be");
  if (!parsed) return;  // too deep as a whole, or an exponent
  require(parsed->is_object() && parsed->get_object().size() == object->members().size(), "Boost sees as many members");
  for (const auto& member : object->members()) {
    const auto* value = parsed->get_object().if_contains(member.name);
    require(value != nullptr, "a member's name is Boost's");
    const auto own = parse_json(member.text);
    require(own && *own == *value, "a member's text is its value's");
    compare_scalar(member.text, *value);
    require(object->string(member.name) == (value->is_string() ? std::string_view(value->get_string()) : ""),
            "a member's string is Boost's");
  }
}

void compare_cuts(std::string_view text, Cuts cuts) {
  JsonObjectScanner whole;
  (void)(whole.take(text) && whole.finish());
  JsonObjectScanner cut;
  bool goes_on = true;
  for (std::string_view rest = text; goes_on && !rest.empty();) goes_on = cut.take(cuts.take(rest));
  if (goes_on) (void)cut.finish();
  require(whole.fault() == cut.fault() && whole.position() == cut.position() && whole.expected() == cut.expected(),
          "cuts change no fault");
  const auto same = [](const MemberRange& a, const MemberRange& b) {
    return a.name.begin == b.name.begin && a.name.end == b.name.end && a.value.begin == b.value.begin &&
           a.value.end == b.value.end;
  };
  require(std::ranges::equal(whole.members(), cut.members(), same), "cuts change no member");
}

void write_and_read(std::string_view text) {
  const std::string written = json_quote(text);
  require(written.size() == json_string_size(text), "a string's size is known before");
  require(json_string_value(written) == replace_invalid_utf8(text), "a string that is written is read");
  JsonCursor cursor(written);
  require(cursor.string() && cursor.at_end(), "what is written is JSON");
}

void read_json(std::string_view input) {
  const Cuts cuts(take_byte(input));
  compare_value(input);
  compare_members(input);
  compare_cuts(input, cuts);
  write_and_read(input);
  (void)read_members(input);
}

}  // namespace

INFRA_FUZZ_TARGET(json, read_json);

}  // namespace infra::fuzz
