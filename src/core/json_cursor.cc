#include "core/json_cursor.h"

namespace infra {
namespace {

constexpr std::string_view kBom = "\xef\xbb\xbf";

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

JsonCursor::JsonCursor(std::string_view text) : text_(text) {
  if (text_.starts_with(kBom)) at_ = kBom.size();
}

char JsonCursor::next() {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonCursor::take(char c) {
  if (next() != c || at_ == text_.size()) return false;
  ++at_;
  return true;
}

bool JsonCursor::at_end() {
  next();
  return at_ == text_.size();
}

bool JsonCursor::fail(std::string_view expected, Fault fault) {
  fault_ = fault;
  expected_ = expected;
  return false;
}

std::optional<std::string_view> JsonCursor::value() {
  return step_over(JsonScanner());
}

std::optional<std::string_view> JsonCursor::string() {
  return step_over(JsonScanner(JsonScanner::Expects::name));
}

std::optional<std::string_view> JsonCursor::step_over(JsonScanner scanner) {
  next();
  const std::size_t begin = at_;
  const std::size_t taken = scanner.take(text_.substr(begin));
  if (scanner.finish()) {
    at_ = begin + taken;
    return text_.substr(begin, taken);
  }
  at_ = begin + scanner.position();
  fail(scanner.expected(), scanner.fault());
  return std::nullopt;
}

}  // namespace infra
