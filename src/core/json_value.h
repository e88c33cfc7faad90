// JSON as values, for what is small and looked into; what is passed on keeps its text (core/json_members.h).
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace infra {

// A text that JsonCursor takes, as Boost.JSON's value: what is no Unicode, a surrogate's escape without its other half,
// becomes U+FFFD. Nullopt if it is no JSON, is deeper than kMaxJsonDepth, or has an exponent of ten digits and more.
[[nodiscard]] std::optional<boost::json::value> parse_json(std::string_view text);

// A member's text. Empty if it is no string.
[[nodiscard]] inline std::string text_of(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace infra
