// What people see on a terminal: tables, colours where they can be shown, and failures in one form.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/failure.h"

namespace infra::cli {

enum class Style : unsigned char { plain, bold, dim, red, green, yellow };

// Text of strangers for a terminal: control characters, which could move its cursor or set its title, as U+FFFD; tabs
// and, if `lines`, line breaks stay.
[[nodiscard]] std::string printable(std::string_view text, bool lines = true);

// A table's rows; columns as wide as their widest cell, the last one as it is.
using Rows = std::vector<std::vector<std::string>>;
[[nodiscard]] std::string table_text(const Rows& rows);

class Output {
 public:
  explicit Output(bool json);

  [[nodiscard]] bool json() const { return json_; }
  // Whether a person sees stderr move.
  [[nodiscard]] bool is_lively() const { return stderr_terminal_; }

  void print(std::string_view text) const;  // to stdout, with a line break at its end
  void note(std::string_view text) const;   // to stderr, with one; nothing with --json
  void aside(std::string_view text) const;  // to stderr, with one, whatever stdout has
  // The first row is the head.
  void table(const Rows& rows) const;
  void failure(const Failure& failure) const;
  // On stderr's last line, over what was there; for terminals alone. Empty: clears it.
  void progress(std::string_view text) const;

  [[nodiscard]] std::string styled(std::string_view text, Style style) const;  // for stdout
  [[nodiscard]] std::string styled_on_stderr(std::string_view text, Style style) const;

 private:
  bool json_;
  bool stdout_terminal_;
  bool stderr_terminal_;
  bool stdout_colours_;
  bool stderr_colours_;
};

// "1.2 MB"
[[nodiscard]] std::string size_text(double bytes);

}  // namespace infra::cli
