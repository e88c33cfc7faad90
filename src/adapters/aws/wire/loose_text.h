// Text out of what others wrote by hand or may have left out.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace infra::aws {

// Without white space at both ends.
[[nodiscard]] inline std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// A member's text; empty if it is missing or no string.
[[nodiscard]] inline std::string text_at(const boost::json::object& object, std::string_view name) {
  const auto* const value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace infra::aws
