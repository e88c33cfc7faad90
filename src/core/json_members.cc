#include "core/json_members.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>

namespace infra {
namespace {

namespace json = boost::json;

// Takes every event and builds nothing.
struct Validator {
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);
  using Code = boost::system::error_code;
  using Text = json::string_view;

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) { return true; }
  bool on_object_end(std::size_t, Code&) { return true; }
  bool on_array_begin(Code&) { return true; }
  bool on_array_end(std::size_t, Code&) { return true; }
  bool on_key_part(Text, std::size_t, Code&) { return true; }
  bool on_key(Text, std::size_t, Code&) { return true; }
  bool on_string_part(Text, std::size_t, Code&) { return true; }
  bool on_string(Text, std::size_t, Code&) { return true; }
  bool on_number_part(Text, Code&) { return true; }
  bool on_int64(std::int64_t, Text, Code&) { return true; }
  bool on_uint64(std::uint64_t, Text, Code&) { return true; }
  bool on_double(double, Text, Code&) { return true; }
  bool on_bool(bool, Code&) { return true; }
  bool on_null(Code&) { return true; }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }
};

Result<void> validate(std::string_view document) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::basic_parser<Validator> parser(options);
  boost::system::error_code broken;
  const std::size_t used = parser.write_some(false, document.data(), document.size(), broken);
  if (!broken && used < document.size()) broken = json::error::extra_data;
  if (broken) {
    return fail(ErrorKind::invalid, "invalid_json",
                fmt::format("The body is not valid JSON (at byte {}: {}).", used, broken.message()));
  }
  return {};
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Walks over a document that is known to be valid.
class Scanner {
 public:
  explicit Scanner(std::string_view document) : text_(document) {}

  char next_token() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  void step() { ++at_; }

  // The text of the value that starts here, strings with their quotes.
  std::string_view value() {
    const std::size_t start = at_;
    int depth = 0;
    do {
      const char c = next_token();
      if (c == '"') {
        skip_string();
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        --depth;
        ++at_;
      } else if (c == ',' || c == ':') {
        ++at_;
      } else {
        while (at_ < text_.size() && !is_space(text_[at_]) &&
               std::string_view(",:]}").find(text_[at_]) == std::string_view::npos)
          ++at_;
      }
    } while (depth > 0 && at_ < text_.size());
    return text_.substr(start, at_ - start);
  }

 private:
  void skip_string() {
    for (++at_; text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::vector<RawMember>> read_members(std::string_view document) {
  if (auto valid = validate(document); !valid) return fail(valid.error());
  Scanner scanner(document);
  if (scanner.next_token() != '{') return fail(ErrorKind::invalid, "invalid_json", "The body must be a JSON object.");
  scanner.step();

  std::vector<RawMember> members;
  while (scanner.next_token() != '}') {
    const auto quoted = scanner.value();
    const auto name = json::parse(json::string_view(quoted.data(), quoted.size()));
    scanner.next_token();
    scanner.step();  // the colon
    scanner.next_token();
    members.push_back({std::string(name.get_string()), scanner.value()});
    const auto same = [&](const RawMember& other) { return other.name == members.back().name; };
    if (std::ranges::count_if(members, same) > 1) {
      return fail(ErrorKind::invalid, "duplicate_field",
                  fmt::format("The body has \"{}\" twice.", members.back().name));
    }
    if (members.size() > 64) return fail(ErrorKind::invalid, "invalid_json", "The body has more than 64 fields.");
    if (scanner.next_token() == ',') scanner.step();
  }
  return members;
}

}  // namespace infra
