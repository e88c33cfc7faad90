#include "cli/ignore_rules.h"

#include <algorithm>
#include <optional>

namespace infra::cli {
namespace {

// What is made anew where it is needed, is the client's own, or is nobody else's business.
constexpr std::string_view kAlways = R"(.git/
.hg/
.svn/
__pycache__/
*.pyc
.DS_Store
.env
/infra.toml
/.infraignore
)";

// Of the characters between the brackets at the pattern's front; moves behind them. Nullopt if none closes them.
std::optional<bool> matches_class(std::string_view& pattern, char c) {
  std::size_t at = 1;
  const bool inverted = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (inverted) ++at;
  bool found = false;
  for (const std::size_t first = at; at < pattern.size(); ++at) {
    if (pattern[at] == ']' && at > first) {
      pattern.remove_prefix(at + 1);
      return found != inverted && c != '/';
    }
    if (at + 2 < pattern.size() && pattern[at + 1] == '-' && pattern[at + 2] != ']') {
      found = found || (pattern[at] <= c && c <= pattern[at + 2]);
      at += 2;
    } else {
      found = found || pattern[at] == c;
    }
  }
  return std::nullopt;
}

// How much of the pattern's front means the text's first character; nullopt if it does not. No stars.
std::optional<std::size_t> matches_one(std::string_view pattern, std::string_view text) {
  if (pattern.empty() || text.empty()) return std::nullopt;
  const auto if_true = [](bool fits, std::size_t length) { return fits ? std::optional(length) : std::nullopt; };
  if (pattern[0] == '?') return if_true(text[0] != '/', 1);
  if (pattern[0] == '\\' && pattern.size() > 1) return if_true(pattern[1] == text[0], 2);
  if (pattern[0] == '[') {
    std::string_view rest = pattern;
    if (const auto in_class = matches_class(rest, text[0])) return if_true(*in_class, pattern.size() - rest.size());
  }
  return if_true(pattern[0] == text[0], 1);
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) {
  // Where a star may be given one character more, when what follows it does not fit. Only the last one of each kind:
  // what an earlier one could give, the last one reaches as well.
  struct Retry {
    std::string_view pattern;
    std::string_view text;
    bool whole_folders = false;
  };
  std::optional<Retry> star;
  std::optional<Retry> stars;
  bool at_folder = true;  // the pattern's begin, or behind a slash
  while (true) {
    if (pattern.starts_with("**")) {
      const bool whole_folders = at_folder && pattern.substr(2).starts_with('/');  // or none
      pattern.remove_prefix(whole_folders ? 3 : 2);
      stars = Retry{.pattern = pattern, .text = text, .whole_folders = whole_folders};
      star.reset();
      at_folder = whole_folders;
      continue;
    }
    if (pattern.starts_with('*')) {
      pattern.remove_prefix(1);
      star = Retry{.pattern = pattern, .text = text};
      at_folder = false;
      continue;
    }
    if (pattern.empty() && text.empty()) return true;
    if (const auto fits = matches_one(pattern, text)) {
      at_folder = text[0] == '/';
      pattern.remove_prefix(*fits);
      text.remove_prefix(1);
    } else if (star && !star->text.empty() && star->text[0] != '/') {
      star->text.remove_prefix(1);
      pattern = star->pattern;
      text = star->text;
      at_folder = false;
    } else if (stars && !stars->text.empty()) {
      const auto slash = stars->text.find('/');
      if (stars->whole_folders && slash == std::string_view::npos) return false;
      stars->text.remove_prefix(stars->whole_folders ? slash + 1 : 1);
      pattern = stars->pattern;
      text = stars->text;
      at_folder = stars->whole_folders;
      star.reset();
    } else {
      return false;
    }
  }
}

IgnoreRules::IgnoreRules(std::string_view text) {
  for (std::string_view all : {kAlways, text}) {
    while (!all.empty()) {
      const auto end = all.find('\n');
      add(all.substr(0, end));
      all.remove_prefix(end == std::string_view::npos ? all.size() : end + 1);
    }
  }
}

void IgnoreRules::add(std::string_view line) {
  while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
  if (line.empty() || line[0] == '#') return;
  Rule rule;
  if (line[0] == '!') {
    rule.takes_back = true;
    line.remove_prefix(1);
  }
  if (line.ends_with('/')) {
    rule.folders_alone = true;
    line.remove_suffix(1);
  }
  rule.from_root = line.find('/') != std::string_view::npos;
  if (line.starts_with('/')) line.remove_prefix(1);
  if (line.empty()) return;
  rule.pattern = line;
  rules_.push_back(std::move(rule));
}

bool IgnoreRules::ignores(std::string_view path, bool is_folder) const {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  bool ignored = false;
  for (const auto& rule : rules_) {
    if (rule.folders_alone && !is_folder) continue;
    if (matches_glob(rule.pattern, rule.from_root ? path : name)) ignored = !rule.takes_back;
  }
  return ignored;
}

}  // namespace infra::cli
