// A `.env` file reads the same with either line break, each problem names a line that is there, and what was read,
// written in quotes, reads the same again.
#include <algorithm>
#include <charconv>
#include <string>

#include "fuzz/target.h"
#include "main/env_file.h"

namespace infra::fuzz {
namespace {

std::ptrdiff_t line_in(std::string_view problem) {
  constexpr std::string_view kStart = ".env, line ";
  require(problem.starts_with(kStart), "a problem says where it is");
  std::ptrdiff_t number = 0;
  std::from_chars(problem.data() + kStart.size(), problem.data() + problem.size(), number);
  return number;
}

bool is_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
  });
}

// A quote that the value has not, and that its end does not escape; NUL if there is none.
char quote_for(std::string_view value) {
  if (value.ends_with('\\') || value.find('\r') != std::string_view::npos) return '\0';
  for (const char quote : {'\'', '`'}) {
    if (value.find(quote) == std::string_view::npos) return quote;
  }
  return '\0';
}

void read_env(std::string_view text) {
  const EnvFile file = parse_env_file(text);
  const auto lines = std::ranges::count(text, '\n') + std::ranges::count(text, '\r') + 1;
  std::ptrdiff_t last = 0;
  for (const auto& problem : file.problems) {
    const auto line = line_in(problem);
    require(line > last && line <= lines, "problems come in order, one a line that is there");
    last = line;
  }
  require(
      std::ranges::includes(file.variables, file.shortened, {}, [](const auto& variable) { return variable.first; }),
      "what is shortened is there");
  std::string again;
  Variables expected;
  for (const auto& [name, value] : file.variables) {
    require(is_name(name), "a variable has a name");
    require(value.size() <= text.size(), "a value is no longer than its file");
    const char quote = quote_for(value);
    if (quote == '\0') continue;
    expected[name] = value;
    again += name + "=" + quote + value + quote + "\n";
  }
  const EnvFile reread = parse_env_file(again);
  require(reread.problems.empty() && reread.variables == expected, "what is written in quotes is read");

  if (text.find('\r') != std::string_view::npos) return;
  std::string windows;
  for (const char c : text) windows.append(c == '\n' ? "\r\n" : std::string(1, c));
  const EnvFile other = parse_env_file(windows);
  require(other.variables == file.variables && other.problems == file.problems, "line breaks are line breaks");
}

}  // namespace

INFRA_FUZZ_TARGET(env_file, read_env);

}  // namespace infra::fuzz
