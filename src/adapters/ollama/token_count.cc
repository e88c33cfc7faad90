#include "adapters/ollama/token_count.h"

#include <algorithm>
#include <boost/json.hpp>

#include "core/json_value.h"

namespace infra {
namespace {

std::string_view last_line(std::string_view text) {
  const auto end = text.find_last_not_of("\r\n \t");
  if (end == std::string_view::npos) return {};
  text = text.substr(0, end + 1);
  const auto line_break = text.rfind('\n');
  return line_break == std::string_view::npos ? text : text.substr(line_break + 1);
}

std::int64_t count_at(const boost::json::object& object, std::string_view name) {
  const auto* const value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? std::clamp<std::int64_t>(value->get_int64(), 0, INT32_MAX) : 0;
}

}  // namespace

std::int64_t count_tokens(std::string_view answer) {
  auto value = parse_json(last_line(answer));
  if (!value) value = parse_json(answer);  // one object over several lines
  if (!value || !value->is_object()) return 0;
  return count_at(value->get_object(), "prompt_eval_count") + count_at(value->get_object(), "eval_count");
}

}  // namespace infra
