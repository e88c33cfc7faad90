// JSON's grammar (RFC 8259), for one value whose text comes in pieces. Builds nothing, keeps none of the text and does
// not recurse: whatever is valid can be passed on as it was written (numbers of any size, a surrogate's escape without
// its other half), and what is not is known at its first wrong byte.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace infra {

// How deep a value that a client sends or a function returns may be nested.
inline constexpr std::size_t kMaxJsonDepth = 499;

class JsonScanner {
 public:
  enum class Fault : std::uint8_t { none, syntax, too_deep };
  enum class Expects : std::uint8_t { value, name };  // a member's name: a string

  explicit JsonScanner(Expects what = Expects::value) : state_(what == Expects::name ? State::name : State::value) {}

  // How many bytes of `piece` were taken: all, or those up to the value's end or up to a fault. White space before the
  // value is part of it.
  std::size_t take(std::string_view piece);
  // No more comes. True if the value is whole.
  bool finish();

  [[nodiscard]] bool done() const { return state_ == State::done; }
  [[nodiscard]] Fault fault() const { return fault_; }
  // After a fault: where in all of the text, and what would have been right.
  [[nodiscard]] std::size_t position() const { return fault_at_; }
  [[nodiscard]] std::string_view expected() const { return expected_; }

 private:
  enum class State : std::uint8_t {
    value,
    value_or_end,
    name,
    name_or_end,
    colon,
    comma_or_end,
    text,
    escape,
    hex_digits,
    character,
    minus,
    zero,
    whole,
    point,
    fraction,
    exponent,
    exponent_sign,
    exponent_digits,
    word,
    done,
  };

  void step(std::string_view piece);
  void step_between(std::string_view piece);
  void go_on(std::string_view piece);
  void begin_value(std::string_view piece);
  void begin_number(std::string_view piece);
  void open(char c);
  void end_level();
  void end_value();
  void end_text();
  void step_text(std::string_view piece);
  [[nodiscard]] bool step_character(std::string_view rest);
  void complete_character(char c);
  void step_escape(char c);
  void step_hex_digit(char c);
  void step_number(std::string_view piece);
  void step_digits(std::string_view piece);
  void begin_digits(char c, State digits);
  void step_word(char c);
  void fail(std::string_view expected, std::size_t position, Fault fault = Fault::syntax);
  [[nodiscard]] std::string_view missing() const;
  [[nodiscard]] std::size_t here() const { return before_ + at_; }

  State state_;
  Fault fault_ = Fault::none;
  bool in_name_ = false;
  std::uint8_t left_ = 0;  // of an escape's hex digits
  std::size_t depth_ = 0;
  std::bitset<kMaxJsonDepth> is_object_;  // of each level that is open
  std::array<char, 4> character_{};       // one that a piece ended in
  std::uint8_t character_size_ = 0;
  std::string_view word_;   // what is still to come of it
  std::size_t before_ = 0;  // bytes of earlier pieces
  std::size_t at_ = 0;      // in this piece
  std::size_t mark_ = 0;    // where the escape, character or word began
  std::size_t fault_at_ = 0;
  std::string_view expected_;
};

// The first byte of `text` that is a quote, a backslash, a control character or no ASCII; its size if there is none.
[[nodiscard]] std::size_t plain_text_length(std::string_view text);

}  // namespace infra
