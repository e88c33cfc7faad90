#include "cli/json_view.h"

#include <fmt/format.h>

#include "core/json_text.h"

namespace infra::cli {

std::string shown(const boost::json::object& object, std::string_view name) {
  const auto* const value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return "-";
  if (const auto* text = value->if_string()) return std::string(*text);
  if (value->is_double()) return json_number(value->get_double());
  return boost::json::serialize(*value);
}

std::optional<double> number_of(const boost::json::object& object, std::string_view name) {
  const auto* const value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  boost::system::error_code error;
  const double number = value->to_number<double>(error);
  return error ? std::nullopt : std::optional(number);
}

std::string milliseconds_shown(const boost::json::object& object, std::string_view name) {
  const auto number = number_of(object, name);
  if (!number) return "-";
  return *number < 10'000 ? json_number(*number) + " ms" : fmt::format("{:.1f} s", *number / 1000);
}

std::string time_shown(const boost::json::object& object, std::string_view name) {
  std::string time = shown(object, name);
  if (time.size() < 19 || time[10] != 'T') return time;
  time.resize(19);
  time[10] = ' ';
  return time;
}

}  // namespace infra::cli
