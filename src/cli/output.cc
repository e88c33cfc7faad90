#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/json_text.h"
#include "core/text.h"

namespace infra::cli {
namespace {

bool may_colour() {
  const char* const no = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  return (no == nullptr || *no == 0) && (terminal == nullptr || std::string_view(terminal) != "dumb");
}

std::string coloured(std::string_view text, Style style, bool allowed) {
  constexpr std::array<std::string_view, 6> kCodes = {"", "1", "2", "31", "32", "33"};
  if (!allowed || style == Style::plain) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[std::to_underlying(style)], text);
}

// Characters, as nearly as a terminal's columns can be told without its font.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void write(std::FILE* stream, std::string_view text, bool end_line = true) {
  std::fwrite(text.data(), 1, text.size(), stream);
  if (end_line && !text.ends_with('\n')) std::fputc('\n', stream);
  std::fflush(stream);
}

std::string indented(std::string_view text) {
  std::string lines = "    ";
  for (const char c : text) {
    lines += c;
    if (c == '\n') lines += "    ";
  }
  return lines;
}

}  // namespace

std::string_view fault_of(Exit exit) {
  switch (exit) {
    case Exit::ok:
      return "nobody";
    case Exit::function_failed:
      return "function";
    case Exit::usage:
      return "command";
    case Exit::refused:
      return "request";
    case Exit::platform_failed:
      return "platform";
    case Exit::unreachable:
      return "connection";
  }
  return {};
}

std::string printable(std::string_view text, bool lines) {
  const std::string whole = replace_invalid_utf8(text);
  std::string shown;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto c = static_cast<unsigned char>(whole[i]);
    const bool c1 = c == 0xc2 && i + 1 < whole.size() && static_cast<unsigned char>(whole[i + 1]) < 0xa0;
    if (c == '\n' && !lines) {
      shown += ' ';
    } else if (c1 || c == 0x7f || (c < 0x20 && c != '\n' && c != '\t')) {
      shown += "\xef\xbf\xbd";
      if (c1) ++i;
    } else {
      shown += whole[i];
    }
  }
  return shown;
}

std::string table_text(const Rows& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - width(row[i]) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

Output::Output(bool json)
    : json_(json),
      stdout_terminal_(isatty(STDOUT_FILENO) == 1),
      stderr_terminal_(isatty(STDERR_FILENO) == 1),
      stdout_colours_(stdout_terminal_ && may_colour()),
      stderr_colours_(stderr_terminal_ && may_colour()) {}

void Output::print(std::string_view text) const {
  write(stdout, text);
}

void Output::note(std::string_view text) const {
  if (!json_) write(stderr, text);
}

void Output::aside(std::string_view text) const {
  write(stderr, text);
}

void Output::table(const Rows& rows) const {
  Rows shown = rows;
  for (auto& row : shown) {
    for (auto& cell : row) cell = printable(cell, false);
  }
  const std::string text = table_text(shown);
  const auto end = text.find('\n');
  write(stdout, styled(std::string_view(text).substr(0, end), Style::bold) + text.substr(std::min(end, text.size())));
}

void Output::failure(const Failure& failure) const {
  const std::string_view fault = fault_of(failure.exit);
  if (json_) {
    std::string object = fmt::format("{{\"error\":{},\"code\":{},\"fault\":{},\"exit\":{}", json_quote(failure.message),
                                     failure.code.empty() ? "null" : json_quote(failure.code), json_quote(fault),
                                     std::to_underlying(failure.exit));
    object += fmt::format(",\"requestId\":{}", failure.request_id.empty() ? "null" : json_quote(failure.request_id));
    object += fmt::format(",\"stderr\":{}", failure.stderr_end.empty() ? "null" : json_quote(failure.stderr_end));
    object += fmt::format(",\"next\":{}}}", failure.next.empty() ? "null" : json_quote(failure.next));
    write(stderr, object);
    return;
  }
  std::string text = fmt::format("{} {}\n", styled_on_stderr("infra:", Style::red), printable(failure.message));
  if (!failure.stderr_end.empty()) {
    text += fmt::format("  the end of its stderr:\n{}\n", indented(trim(printable(failure.stderr_end), "\r\n")));
  }
  text += fmt::format("  fault:   the {}'s{}\n", fault, failure.code.empty() ? "" : fmt::format(" ({})", failure.code));
  if (!failure.request_id.empty()) text += fmt::format("  request: {}\n", failure.request_id);
  if (!failure.next.empty()) text += fmt::format("  next:    {}\n", failure.next);
  write(stderr, text);
}

void Output::progress(std::string_view text) const {
  if (stderr_terminal_ && !json_) write(stderr, fmt::format("\r\x1b[K{}", text), false);
}

std::string Output::styled(std::string_view text, Style style) const {
  return coloured(text, style, stdout_colours_);
}

std::string Output::styled_on_stderr(std::string_view text, Style style) const {
  return coloured(text, style, stderr_colours_);
}

std::string size_text(double bytes) {
  if (bytes < 1000) return fmt::format("{:.0f} B", bytes);
  if (bytes < 1e6) return fmt::format("{:.1f} kB", bytes / 1e3);
  if (bytes < 1e9) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.1f} GB", bytes / 1e9);
}

}  // namespace infra::cli
