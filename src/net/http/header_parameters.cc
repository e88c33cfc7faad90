#include "net/http/header_parameters.h"

#include <algorithm>

#include "core/function.h"
#include "core/text.h"
#include "net/http/http_types.h"

namespace infra::net {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_alphanumeric(char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
}
bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}
bool is_token_char(char c) {
  return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").contains(c);
}
// Wider than a token, because clients leave boundaries such as `a=b/c` without quotes.
bool is_bare_char(char c) {
  return !is_control(c) && !is_blank(c) && c != ';' && c != '"';
}

// Walks over the text; every take_* gives what it passed, or nullopt without a match.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }

  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  }

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  template <typename Predicate>
  std::string_view take_while(Predicate matches) {
    const auto length = static_cast<std::size_t>(std::ranges::find_if_not(rest_, matches) - rest_.begin());
    const auto taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }

  // After the opening quote, up to and with the closing one.
  std::optional<std::string> take_quoted() {
    std::string out;
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return out;
      if (is_control(c)) return std::nullopt;
      if (c == '\\' && !rest_.empty() && (rest_.front() == '"' || rest_.front() == '\\')) {
        c = rest_.front();
        rest_.remove_prefix(1);
      }
      out += c;
    }
    return std::nullopt;
  }

 private:
  std::string_view rest_;
};

std::optional<std::pair<std::string, std::string>> take_parameter(Cursor& cursor) {
  auto name = ascii_lower(cursor.take_while(is_token_char));
  if (name.empty() || !cursor.take('=')) return std::nullopt;
  if (cursor.take('"')) {
    auto value = cursor.take_quoted();
    if (!value) return std::nullopt;
    return std::pair(std::move(name), std::move(*value));
  }
  const auto value = cursor.take_while(is_bare_char);
  if (value.empty()) return std::nullopt;
  return std::pair(std::move(name), std::string(value));
}

}  // namespace

const std::string* ParameterizedValue::find(std::string_view name) const {
  const auto found =
      std::ranges::find(parameters, name, [](const auto& parameter) -> std::string_view { return parameter.first; });
  return found == parameters.end() ? nullptr : &found->second;
}

std::optional<ParameterizedValue> parse_parameterized(std::string_view text) {
  ParameterizedValue out;
  Cursor cursor(text);
  cursor.skip_blanks();
  out.value = ascii_lower(cursor.take_while([](char c) { return is_token_char(c) || c == '/'; }));
  if (out.value.empty()) return std::nullopt;
  while (true) {
    cursor.skip_blanks();
    if (cursor.at_end()) return out;
    if (!cursor.take(';')) return std::nullopt;
    cursor.skip_blanks();
    if (cursor.at_end()) return out;  // a trailing ';' is common and means nothing
    auto parameter = take_parameter(cursor);
    if (!parameter || out.find(parameter->first) != nullptr) return std::nullopt;
    out.parameters.push_back(std::move(*parameter));
  }
}

std::optional<std::string> decode_extended_value(std::string_view text) {
  const auto charset_end = text.find('\'');
  if (charset_end == std::string_view::npos || ascii_lower(text.substr(0, charset_end)) != "utf-8") return std::nullopt;
  const auto language_end = text.find('\'', charset_end + 1);
  if (language_end == std::string_view::npos) return std::nullopt;
  auto decoded = percent_decode(text.substr(language_end + 1));
  if (!decoded || !is_valid_utf8(*decoded)) return std::nullopt;
  return decoded;
}

}  // namespace infra::net
