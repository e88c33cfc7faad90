// How values are kept in columns, and how a page's end travels through a client and back.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

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

// An environment as a JSON object of strings. An unreadable one is an error: the row was not written by us.
[[nodiscard]] std::string to_column(const Environment& env);
[[nodiscard]] Result<Environment> environment_from_column(std::string_view text);

// A cursor is base64url over `kind` and the last row's key. Opaque to clients, and checked when it comes back:
// `invalid` (code invalid_cursor) unless it is one of the same kind with as many parts. Parts hold no line feeds.
[[nodiscard]] std::string make_cursor(std::string_view kind, std::initializer_list<std::string_view> key);
[[nodiscard]] Result<std::vector<std::string>> read_cursor(std::string_view kind, std::size_t parts,
                                                           std::string_view cursor);
[[nodiscard]] std::unexpected<Error> invalid_cursor();

}  // namespace infra
