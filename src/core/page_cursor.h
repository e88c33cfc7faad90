// How the end of a listing's page travels through a client and back.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/function.h"

namespace infra {

// base64url over `kind` and the last row's key. Opaque to clients, and checked when it comes back: `invalid` (code
// invalid_cursor) unless it is one of the same kind with as many parts. Parts hold no line feeds.
[[nodiscard]] std::string make_cursor(std::string_view kind, std::initializer_list<std::string_view> key);
[[nodiscard]] Result<std::vector<std::string>> read_cursor(std::string_view kind, std::size_t parts,
                                                           std::string_view cursor);
[[nodiscard]] std::unexpected<Error> invalid_cursor();

// A listing of functions is ordered by this pair; a page goes on behind it.
struct FunctionCursor {
  WallTime uploaded_at = WallTime::min();
  FunctionId id;
  auto operator<=>(const FunctionCursor&) const = default;
};
[[nodiscard]] std::string make_function_cursor(const Function& last);
// An empty one is the beginning.
[[nodiscard]] Result<FunctionCursor> read_function_cursor(const std::string& cursor);

}  // namespace infra
