// Reading SQS's answers: numbers come as text there, and what is missing or of another type is as good as absent.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/json_value.h"

namespace infra::aws {

[[nodiscard]] inline std::int64_t number_of(const boost::json::object& object, std::string_view name,
                                            std::int64_t otherwise) {
  const std::string text = text_of(object, name);
  std::int64_t number = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

[[nodiscard]] inline const boost::json::object* object_in(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_object();
}

// Calls `use` with each object of the array `name`.
template <typename Use>
void for_each_object(const boost::json::object& object, std::string_view name, Use use) {
  const auto* value = object.if_contains(name);
  const auto* array = value == nullptr ? nullptr : value->if_array();
  if (array == nullptr) return;
  for (const auto& item : *array) {
    if (const auto* found = item.if_object()) use(*found);
  }
}

}  // namespace infra::aws
