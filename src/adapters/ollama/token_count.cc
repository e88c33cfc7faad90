#include "adapters/ollama/token_count.h"

#include <algorithm>

#include "core/json_members.h"
#include "core/text.h"

namespace infra {
namespace {

std::string_view last_line(std::string_view text) {
  const auto end = text.find_last_not_of("\r\n \t");
  if (end == std::string_view::npos) return {};
  text = text.substr(0, end + 1);
  const auto line_break = text.rfind('\n');
  return line_break == std::string_view::npos ? text : text.substr(line_break + 1);
}

std::int64_t count_at(const RawObject& object, std::string_view name) {
  const auto count = parse_whole(object.text(name).value_or(""));
  return std::clamp<std::int64_t>(count.value_or(0), 0, INT32_MAX);
}

}  // namespace

std::int64_t count_tokens(std::string_view answer) {
  auto object = RawObject::read(last_line(answer));
  if (!object) object = RawObject::read(answer);  // one object over several lines
  return object ? count_at(*object, "prompt_eval_count") + count_at(*object, "eval_count") : 0;
}

}  // namespace infra
