#include "core/json_cursor.h"

#include <bitset>
#include <cstdint>
#include <cstring>

#include "core/text.h"

namespace infra {
namespace {

constexpr std::string_view kBom = "\xef\xbb\xbf";
constexpr std::string_view kValue = "a value is expected";

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Is one of the eight bytes a quote, a backslash, a control character or no ASCII? (Sean Anderson, Bit Twiddling Hacks:
// "determine if a word has a byte less than n")
bool has_special(std::uint64_t bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
  constexpr std::uint64_t kHigh = 0x8080808080808080ULL;
  const auto zero_in = [](std::uint64_t word) { return (word - kOnes) & ~word; };
  const auto below_space = (bytes - kOnes * 0x20) & ~bytes;
  return ((zero_in(bytes ^ (kOnes * '"')) | zero_in(bytes ^ (kOnes * '\\')) | below_space | bytes) & kHigh) != 0;
}

}  // namespace

JsonCursor::JsonCursor(std::string_view text) : text_(text) {
  if (text_.starts_with(kBom)) at_ = kBom.size();
}

char JsonCursor::next() {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonCursor::take(char c) {
  if (next() != c || at_ == text_.size()) return false;
  ++at_;
  return true;
}

bool JsonCursor::at_end() {
  next();
  return at_ == text_.size();
}

bool JsonCursor::fail(std::string_view expected, Fault fault) {
  fault_ = fault;
  expected_ = expected;
  return false;
}

std::optional<std::string_view> JsonCursor::value() {
  next();
  const std::size_t begin = at_;
  if (!skip_value()) return std::nullopt;
  return text_.substr(begin, at_ - begin);
}

std::optional<std::string_view> JsonCursor::string() {
  if (next() != '"') {
    fail("a name in double quotes is expected");
    return std::nullopt;
  }
  const std::size_t begin = at_;
  if (!skip_string()) return std::nullopt;
  return text_.substr(begin, at_ - begin);
}

bool JsonCursor::skip_value() {
  std::bitset<kMaxJsonDepth> is_object;  // of each level that is open
  std::size_t depth = 0;
  while (true) {
    const char c = next();
    if (c == '{' || c == '[') {
      if (depth == kMaxJsonDepth) return fail("nested too deeply", Fault::too_deep);
      is_object[depth++] = c == '{';
      ++at_;
      if (next() != (c == '{' ? '}' : ']')) {
        if (c == '{' && !skip_name()) return false;
        continue;
      }
    } else if (c == '"') {
      if (!skip_string()) return false;
    } else if (c == '-' || is_digit(c)) {
      if (!skip_number()) return false;
    } else if (c == 't' || c == 'f' || c == 'n') {
      if (!skip_word(c == 't' ? "true" : c == 'f' ? "false" : "null")) return false;
    } else {
      return fail(c == '\'' ? "strings take double quotes" : kValue);
    }
    // A value has ended, or an empty one is about to: so do all around it that end here.
    while (depth > 0 && take(is_object[depth - 1] ? '}' : ']')) --depth;
    if (depth == 0) return true;
    if (!take(',')) return fail(is_object[depth - 1] ? "a comma or } is expected" : "a comma or ] is expected");
    if (is_object[depth - 1] && !skip_name()) return false;
  }
}

// With the colon.
bool JsonCursor::skip_name() {
  if (!string()) return false;
  return take(':') || fail("a colon is expected");
}

// Most of a text, eight bytes at a time.
void JsonCursor::skip_plain_text() {
  std::uint64_t bytes = 0;
  while (text_.size() - at_ >= sizeof(bytes)) {
    std::memcpy(&bytes, text_.data() + at_, sizeof(bytes));
    if (has_special(bytes)) return;
    at_ += sizeof(bytes);
  }
}

bool JsonCursor::skip_string() {
  ++at_;
  skip_plain_text();
  while (at_ < text_.size()) {
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '"') {
      ++at_;
      return true;
    }
    if (c == '\\') {
      if (!skip_escape()) return false;
      skip_plain_text();
    } else if (c < 0x20) {
      return fail("a control character in a string must be written as an escape");
    } else if (c < 0x80) {
      ++at_;
    } else {
      const std::size_t length = utf8_length(text_.substr(at_, 4));
      if (length == 0) return fail("the bytes here are not UTF-8");
      at_ += length;
    }
  }
  return fail("the string has no end");
}

bool JsonCursor::skip_escape() {
  constexpr std::string_view kEscapes = "\"\\/bfnrt";
  const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
  if (kEscapes.find(c) != std::string_view::npos) {
    at_ += 2;
    return true;
  }
  if (c != 'u') return fail("there is no such escape");
  for (std::size_t i = at_ + 2; i < at_ + 6; ++i) {
    if (i >= text_.size() || !is_hex_digit(text_[i])) return fail("\\u takes four hex digits");
  }
  at_ += 6;
  return true;
}

bool JsonCursor::skip_digits() {
  const std::size_t begin = at_;
  while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
  return at_ > begin || fail("a digit is expected");
}

bool JsonCursor::skip_number() {
  const auto here = [&] { return at_ < text_.size() ? text_[at_] : '\0'; };
  if (here() == '-') ++at_;
  if (here() == '0') {
    ++at_;
    if (is_digit(here())) return fail("a number does not begin with 0");
  } else if (!skip_digits()) {
    return false;
  }
  if (here() == '.') {
    ++at_;
    if (!skip_digits()) return false;
  }
  if (here() == 'e' || here() == 'E') {
    ++at_;
    if (here() == '+' || here() == '-') ++at_;
    if (!skip_digits()) return false;
  }
  return true;
}

bool JsonCursor::skip_word(std::string_view word) {
  if (!text_.substr(at_).starts_with(word)) return fail(kValue);
  at_ += word.size();
  return true;
}

}  // namespace infra
