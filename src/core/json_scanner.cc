#include "core/json_scanner.h"

#include <cstring>

#include "core/text.h"

namespace infra {
namespace {

constexpr std::string_view kValue = "a value is expected";
constexpr std::string_view kName = "a name in double quotes is expected";
constexpr std::string_view kColon = "a colon is expected";
constexpr std::string_view kDigit = "a digit is expected";
constexpr std::string_view kHexDigits = "\\u takes four hex digits";
constexpr std::string_view kEscape = "there is no such escape";
constexpr std::string_view kNoUtf8 = "the bytes here are not UTF-8";
constexpr std::size_t kLongestEscape = 6;  // \uXXXX
constexpr std::string_view kEndlessText = "the string has no end";

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_simple_escape(char c) {
  constexpr std::string_view kEscapes = "\"\\/bfnrt";
  return kEscapes.find(c) != std::string_view::npos;
}

// Of the escape at the front; 0 if none is there, or not all of it.
std::size_t escape_length(std::string_view text) {
  if (text.size() < 2) return 0;
  if (is_simple_escape(text[1])) return 2;
  if (text[1] != 'u' || text.size() < kLongestEscape) return 0;
  for (const char c : text.substr(2)) {
    if (!is_hex_digit(c)) return 0;
  }
  return kLongestEscape;
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

bool is_special(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte >= 0x80 || c == '"' || c == '\\';
}

// Of the character that begins with it; 0 if none does.
std::size_t length_by_lead(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  if (byte < 0xc2 || byte > 0xf4) return 0;
  return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

}  // namespace

std::size_t plain_text_length(std::string_view text) {
  std::size_t at = 0;
  for (std::uint64_t bytes = 0; text.size() - at >= sizeof(bytes); at += sizeof(bytes)) {
    std::memcpy(&bytes, text.data() + at, sizeof(bytes));
    if (has_special(bytes)) break;
  }
  while (at < text.size() && !is_special(text[at])) ++at;
  return at;
}

std::size_t JsonScanner::take(std::string_view piece) {
  at_ = 0;
  while (at_ < piece.size() && state_ != State::done && fault_ == Fault::none) step(piece);
  const std::size_t taken = at_;
  before_ += taken;
  at_ = 0;
  return taken;
}

bool JsonScanner::finish() {
  if (state_ == State::done || fault_ != Fault::none) return state_ == State::done;
  const bool number =
      state_ == State::zero || state_ == State::whole || state_ == State::fraction || state_ == State::exponent_digits;
  if (number) end_value();
  if (state_ == State::done) return true;
  const bool marked = state_ == State::escape || state_ == State::hex_digits || state_ == State::word;
  fail(missing(), marked ? mark_ : before_);
  return false;
}

// What would have to come where the text has ended.
std::string_view JsonScanner::missing() const {
  switch (state_) {
    case State::name:
    case State::name_or_end:
      return kName;
    case State::colon:
      return kColon;
    case State::comma_or_end:
      return is_object_[depth_ - 1] ? "a comma or } is expected" : "a comma or ] is expected";
    case State::text:
    case State::character:
      return kEndlessText;
    case State::escape:
      return kEscape;
    case State::hex_digits:
      return kHexDigits;
    case State::minus:
    case State::point:
    case State::exponent:
    case State::exponent_sign:
      return kDigit;
    default:
      return kValue;
  }
}

void JsonScanner::fail(std::string_view expected, std::size_t position, Fault fault) {
  fault_ = fault;
  fault_at_ = position;
  expected_ = expected;
}

void JsonScanner::step(std::string_view piece) {
  const char c = piece[at_];
  switch (state_) {
    case State::text:
      return step_text(piece);
    case State::escape:
      return step_escape(c);
    case State::hex_digits:
      return step_hex_digit(c);
    case State::character:
      return complete_character(c);
    case State::word:
      return step_word(c);
    case State::minus:
    case State::zero:
    case State::whole:
    case State::point:
    case State::fraction:
    case State::exponent:
    case State::exponent_sign:
    case State::exponent_digits:
      return step_number(piece);
    default:
      if (!is_space(c)) return step_between(piece);
      ++at_;
  }
}

// What follows a value or a name most often, at once: the steps between them are most of a long array's.
void JsonScanner::go_on(std::string_view piece) {
  if (at_ == piece.size()) return;
  if (state_ == State::comma_or_end && piece[at_] == ',') {
    state_ = is_object_[depth_ - 1] ? State::name : State::value;
    ++at_;
  } else if (state_ == State::colon && piece[at_] == ':') {
    state_ = State::value;
    ++at_;
  }
}

// Outside of texts, numbers and words, and not at white space.
void JsonScanner::step_between(std::string_view piece) {
  const char c = piece[at_];
  switch (state_) {
    case State::value_or_end:
      if (c != ']') return begin_value(piece);
      ++at_;
      return end_level();
    case State::name_or_end:
      if (c == '}') {
        ++at_;
        return end_level();
      }
      [[fallthrough]];
    case State::name:
      if (c != '"') return fail(kName, here());
      ++at_;
      in_name_ = true;
      state_ = State::text;
      return;
    case State::colon:
      if (c != ':') return fail(kColon, here());
      ++at_;
      state_ = State::value;
      return;
    case State::comma_or_end: {
      const bool object = is_object_[depth_ - 1];
      if (c != ',' && c != (object ? '}' : ']')) return fail(missing(), here());
      ++at_;
      if (c != ',') return end_level();
      state_ = object ? State::name : State::value;
      return;
    }
    default:
      return begin_value(piece);
  }
}

void JsonScanner::begin_value(std::string_view piece) {
  const char c = piece[at_];
  if (c == '{' || c == '[') return open(c);
  if (c == '"') {
    ++at_;
    in_name_ = false;
    state_ = State::text;
  } else if (c == '-' || is_digit(c)) {
    begin_number(piece);
  } else if (c == 't' || c == 'f' || c == 'n') {
    word_ = c == 't' ? "true" : c == 'f' ? "false" : "null";
    mark_ = here();
    state_ = State::word;
  } else {
    fail(c == '\'' ? "strings take double quotes" : kValue, here());
  }
}

void JsonScanner::begin_number(std::string_view piece) {
  const char c = piece[at_];
  state_ = c == '-' ? State::minus : c == '0' ? State::zero : State::whole;
  ++at_;
  if (at_ < piece.size()) step_number(piece);
}

void JsonScanner::open(char c) {
  if (depth_ == kMaxJsonDepth) return fail("nested too deeply", here(), Fault::too_deep);
  is_object_[depth_++] = c == '{';
  state_ = c == '{' ? State::name_or_end : State::value_or_end;
  ++at_;
}

void JsonScanner::end_level() {
  --depth_;
  end_value();
}

void JsonScanner::end_value() {
  state_ = depth_ == 0 ? State::done : State::comma_or_end;
}

void JsonScanner::end_text() {
  if (!in_name_) return end_value();
  state_ = depth_ == 0 ? State::done : State::colon;
}

void JsonScanner::step_text(std::string_view piece) {
  while (true) {
    at_ += plain_text_length(piece.substr(at_));
    if (at_ == piece.size()) return;
    const char c = piece[at_];
    if (c == '"') {
      ++at_;
      end_text();
      return go_on(piece);
    }
    if (c == '\\') {
      const std::size_t length = escape_length(piece.substr(at_, kLongestEscape));
      if (length == 0) {
        mark_ = here();
        state_ = State::escape;
        ++at_;
        return;
      }
      at_ += length;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      return fail("a control character in a string must be written as an escape", here());
    } else if (!step_character(piece.substr(at_))) {
      return;
    }
  }
}

// Over one that is no ASCII. False if it is not whole, or none.
bool JsonScanner::step_character(std::string_view rest) {
  if (const std::size_t length = utf8_length(rest.substr(0, character_.size())); length > 0) {
    at_ += length;
    return true;
  }
  bool may_go_on = rest.size() < length_by_lead(rest.front());
  for (const char c : rest.substr(1, may_go_on ? rest.size() : 0)) may_go_on = may_go_on && continues(c);
  if (!may_go_on) {
    fail(kNoUtf8, here());
    return false;
  }
  mark_ = here();
  character_size_ = static_cast<std::uint8_t>(rest.copy(character_.data(), character_.size()));
  state_ = State::character;
  at_ += rest.size();
  return false;
}

void JsonScanner::complete_character(char c) {
  character_.at(character_size_++) = c;
  ++at_;
  const std::string_view so_far(character_.data(), character_size_);
  if (utf8_length(so_far) > 0) {
    state_ = State::text;
  } else if (!continues(c) || character_size_ == length_by_lead(character_[0])) {
    fail(kNoUtf8, mark_);
  }
}

void JsonScanner::step_escape(char c) {
  if (c != 'u' && !is_simple_escape(c)) return fail(kEscape, mark_);
  ++at_;
  left_ = 4;
  state_ = c == 'u' ? State::hex_digits : State::text;
}

void JsonScanner::step_hex_digit(char c) {
  if (!is_hex_digit(c)) return fail(kHexDigits, mark_);
  ++at_;
  if (--left_ == 0) state_ = State::text;
}

void JsonScanner::step_number(std::string_view piece) {
  const char c = piece[at_];
  switch (state_) {
    case State::minus:
      return begin_digits(c, c == '0' ? State::zero : State::whole);
    case State::point:
      return begin_digits(c, State::fraction);
    case State::exponent:
      state_ = State::exponent_sign;
      if (c == '+' || c == '-') ++at_;
      return;
    case State::exponent_sign:
      return begin_digits(c, State::exponent_digits);
    case State::zero:
      if (is_digit(c)) return fail("a number does not begin with 0", here());
      [[fallthrough]];
    default:
      return step_digits(piece);
  }
}

void JsonScanner::begin_digits(char c, State digits) {
  if (!is_digit(c)) return fail(kDigit, here());
  ++at_;
  state_ = digits;
}

void JsonScanner::step_digits(std::string_view piece) {
  while (at_ < piece.size() && is_digit(piece[at_])) ++at_;
  if (at_ == piece.size()) return;
  const char c = piece[at_];
  const bool whole = state_ == State::zero || state_ == State::whole;
  if (whole && c == '.') {
    ++at_;
    state_ = State::point;
  } else if ((whole || state_ == State::fraction) && (c == 'e' || c == 'E')) {
    ++at_;
    state_ = State::exponent;
  } else {
    end_value();
    go_on(piece);
  }
}

void JsonScanner::step_word(char c) {
  if (c != word_.front()) return fail(kValue, mark_);
  ++at_;
  word_.remove_prefix(1);
  if (word_.empty()) end_value();
}

}  // namespace infra
