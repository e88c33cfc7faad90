// A pattern of .infraignore means what it means by trying everything, and a file of them costs no more than its size.
#include <string>

#include "cli/ignore_rules.h"
#include "fuzz/target.h"

namespace infra::fuzz {
namespace {

using cli::matches_glob;

// Every way in which stars can be given characters, of a pattern without classes and escapes.
bool tries_all(std::string_view pattern, std::string_view text, bool at_folder = true) {
  if (pattern.starts_with("**")) {
    const bool whole_folders = at_folder && pattern.substr(2).starts_with('/');
    const std::string_view rest = pattern.substr(whole_folders ? 3 : 2);
    for (std::size_t i = 0; i <= text.size(); ++i) {
      const bool allowed = !whole_folders || i == 0 || text[i - 1] == '/';
      if (allowed && tries_all(rest, text.substr(i), whole_folders)) return true;
    }
    return false;
  }
  if (pattern.starts_with('*')) {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (tries_all(pattern.substr(1), text.substr(i), false)) return true;
      if (i < text.size() && text[i] == '/') return false;
    }
    return false;
  }
  if (pattern.empty() || text.empty()) return pattern.empty() && text.empty();
  const bool fits = pattern[0] == text[0] || (pattern[0] == '?' && text[0] != '/');
  return fits && tries_all(pattern.substr(1), text.substr(1), text[0] == '/');
}

void read_rules(std::string_view input) {
  const auto end = input.find('\n');
  const std::string_view pattern = input.substr(0, end);
  const std::string_view text = end == std::string_view::npos ? "" : input.substr(end + 1);
  constexpr std::size_t kMostTried = 12;  // it takes as long as there are ways
  const bool is_plain = pattern.find_first_of("[\\") == std::string_view::npos;
  if (is_plain && pattern.size() <= kMostTried && text.size() <= kMostTried)
    require(matches_glob(pattern, text) == tries_all(pattern, text), "a pattern means what trying everything finds");
  const cli::IgnoreRules rules(input);
  const cli::IgnoreRules taken_back(std::string(input) + "\n!main.py\n");
  require(!taken_back.ignores("main.py", false), "the last rule counts");
  static_cast<void>(rules.ignores(text, true));
}

}  // namespace

INFRA_FUZZ_TARGET(ignore_rules, read_rules);

}  // namespace infra::fuzz
