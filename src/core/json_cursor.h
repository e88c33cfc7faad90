// Walks over JSON text by its grammar (RFC 8259) and builds nothing, so that whatever is valid can be passed on as it
// was written: numbers of any size, a surrogate's escape without its other half. It does not recurse: no text exhausts
// a stack.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace infra {

// How deep a value that a client sends or a function returns may be nested.
inline constexpr std::size_t kMaxJsonDepth = 499;

class JsonCursor {
 public:
  enum class Fault { none, syntax, too_deep };

  // Takes a BOM at the start as part of it.
  explicit JsonCursor(std::string_view text);

  // The byte that comes next, white space aside; NUL at the end.
  char next();
  // Steps over `c` if that comes next.
  bool take(char c);
  [[nodiscard]] bool at_end();

  // Steps over what comes next and gives its text, a string's with its quotes; nullopt if something else comes, or a
  // broken one.
  std::optional<std::string_view> value();
  std::optional<std::string_view> string();

  // After a step that failed: where, and what would have been right.
  [[nodiscard]] Fault fault() const { return fault_; }
  [[nodiscard]] std::size_t position() const { return at_; }
  [[nodiscard]] std::string_view expected() const { return expected_; }
  bool fail(std::string_view expected, Fault fault = Fault::syntax);  // false

 private:
  bool skip_value();
  bool skip_string();
  bool skip_escape();
  bool skip_number();
  bool skip_digits();
  bool skip_word(std::string_view word);
  bool skip_name();
  void skip_plain_text();

  std::string_view text_;
  std::size_t at_ = 0;
  Fault fault_ = Fault::none;
  std::string_view expected_;
};

}  // namespace infra
