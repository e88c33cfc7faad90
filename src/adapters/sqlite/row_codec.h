// How values are kept in columns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/function.h"
#include "core/time.h"

namespace infra {

[[nodiscard]] inline std::int64_t to_column(WallTime time) {
  return time.time_since_epoch().count();
}
[[nodiscard]] inline WallTime time_from_column(std::int64_t value) {
  return WallTime{milliseconds{value}};
}

// As to_json() wrote it. An unreadable one is an error: the row was not written by us.
[[nodiscard]] Result<Environment> environment_from_column(std::string_view text);

}  // namespace infra
