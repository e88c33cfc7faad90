// Members of the API's objects, as tables show them.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace infra::cli {

// "-" for null and what is not there.
[[nodiscard]] std::string shown(const boost::json::object& object, std::string_view name);
[[nodiscard]] std::optional<double> number_of(const boost::json::object& object, std::string_view name);
// "12.3 ms"; "-" if it is no number.
[[nodiscard]] std::string milliseconds_shown(const boost::json::object& object, std::string_view name);
// "2026-11-23 21:09:02" of an ISO 8601 time.
[[nodiscard]] std::string time_shown(const boost::json::object& object, std::string_view name);

// An array's objects.
template <typename Visit>
void for_each_object(const boost::json::value& value, Visit visit) {
  const auto* const array = value.if_array();
  if (array == nullptr) return;
  for (const auto& item : *array) {
    if (const auto* const object = item.if_object()) visit(*object);
  }
}

}  // namespace infra::cli
