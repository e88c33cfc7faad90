#include "main/env_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/text.h"

namespace infra {
namespace {

constexpr std::string_view kSpace = " \t\n\v\f";
constexpr std::string_view kQuotes = "'\"`";

std::string with_plain_line_breaks(std::string_view text) {
  constexpr std::string_view kBom = "\xef\xbb\xbf";
  if (text.starts_with(kBom)) text.remove_prefix(kBom.size());
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      plain += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      plain += '\n';
    }
  }
  return plain;
}

std::string with_line_breaks_expanded(std::string_view text) {
  std::string expanded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 'n' || text[i + 1] == 'r');
    expanded += !escape ? text[i] : text[i + 1] == 'n' ? '\n' : '\r';
    if (escape) ++i;
  }
  return expanded;
}

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

class EnvReader {
 public:
  explicit EnvReader(std::string_view text) : rest_(text) {}

  EnvFile read() {
    while (!rest_.empty()) {
      const auto line = trim(rest_.substr(0, rest_.find('\n')), kSpace);
      if (line.empty() || line.starts_with('#')) {
        skip_line();
      } else if (const auto name = take_name()) {
        take_value(*name);
      } else {
        problem("this is not NAME=value");
        skip_line();
      }
    }
    return std::move(file_);
  }

 private:
  // Steps over the name and what stands between it and the value; nullopt, and no step, if the line has none.
  std::optional<std::string> take_name() {
    std::string_view line = rest_.substr(0, rest_.find('\n'));
    const auto skip_space = [&] { line.remove_prefix(std::min(line.find_first_not_of(kSpace), line.size())); };
    skip_space();
    if (constexpr std::string_view kExport = "export"; line.starts_with(kExport)) {
      const auto after = line.substr(kExport.size());
      if (!after.empty() && kSpace.find(after.front()) != std::string_view::npos &&
          !trim(after, kSpace).starts_with('=')) {
        line = after;
        skip_space();
      }
    }
    const auto* const end = std::ranges::find_if_not(line, is_name);
    std::string name(line.begin(), end);
    line.remove_prefix(name.size());
    const bool colon = line.starts_with(':') && line.size() > 1 && kSpace.find(line[1]) != std::string_view::npos;
    if (!colon) skip_space();
    if (name.empty() || (!colon && !line.starts_with('='))) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(line.data() + 1 - rest_.data()));
    return name;
  }

  void take_value(const std::string& name) {
    const auto line = rest_.substr(0, rest_.find('\n'));
    const auto written = trim(line, kSpace);
    const char quote =
        !written.empty() && kQuotes.find(written.front()) != std::string_view::npos ? written.front() : '\0';
    file_.shortened.erase(name);
    if (quote != '\0') {
      const auto begin = rest_.find(quote);
      if (const auto end = closing_quote(begin)) {
        store(name, quote, rest_.substr(begin + 1, *end - begin - 1));
        skip_to(*end + 1);
        return skip_line();  // a comment
      }
    }
    const auto hash = line.find('#');
    auto value = trim(line.substr(0, hash), kSpace);
    if (quote != '\0' && value.find(quote, 1) == std::string_view::npos) {
      problem("the value's quote is not closed");
      return skip_line();
    }
    if (hash != std::string_view::npos && (hash == 0 || kSpace.find(line[hash - 1]) == std::string_view::npos))
      file_.shortened.insert(name);
    if (quote != '\0' && value.ends_with(quote)) value = value.substr(1, value.size() - 2);
    store(name, quote, value);
    skip_line();
  }

  // Nothing but a comment may follow on the closing quote's line. One behind a backslash closes only if no later one
  // can.
  [[nodiscard]] std::optional<std::size_t> closing_quote(std::size_t open) const {
    std::optional<std::size_t> closing;
    for (auto at = rest_.find(rest_[open], open + 1); at != std::string_view::npos;
         at = rest_.find(rest_[open], at + 1)) {
      const auto after = trim(rest_.substr(at + 1, rest_.find('\n', at) - at - 1), kSpace);
      if (after.empty() || after.starts_with('#')) closing = at;
      if (rest_[at - 1] != '\\') break;
    }
    return closing;
  }

  void store(const std::string& name, char quote, std::string_view value) {
    file_.variables[name] = quote == '"' ? with_line_breaks_expanded(value) : std::string(value);
  }

  void problem(std::string_view what) { file_.problems.push_back(fmt::format(".env, line {}: {}.", number_, what)); }

  void skip_to(std::size_t count) {
    number_ += std::ranges::count(rest_.substr(0, count), '\n');
    rest_.remove_prefix(count);
  }
  void skip_line() {
    const auto end = rest_.find('\n');
    skip_to(end == std::string_view::npos ? rest_.size() : end + 1);
  }

  std::string_view rest_;
  std::ptrdiff_t number_ = 1;
  EnvFile file_;
};

}  // namespace

EnvFile parse_env_file(std::string_view text) {
  const std::string plain = with_plain_line_breaks(text);
  return EnvReader(plain).read();
}

}  // namespace infra
