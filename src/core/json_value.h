// Reads members of a parsed JSON object that may be absent or of another type.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

namespace infra {

// Empty if it is no string.
[[nodiscard]] inline std::string text_of(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace infra
