// Walks over JSON text that is there as a whole, value by value, by the scanner's grammar.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "core/json_scanner.h"

namespace infra {

class JsonCursor {
 public:
  using Fault = JsonScanner::Fault;

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
  std::optional<std::string_view> step_over(JsonScanner scanner);

  std::string_view text_;
  std::size_t at_ = 0;
  Fault fault_ = Fault::none;
  std::string_view expected_;
};

}  // namespace infra
