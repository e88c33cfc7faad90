// What queries have in common. Paging: reading `limit` and `cursor`, and the Link header that leads to the next page.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/time.h"
#include "http/context.h"

namespace infra::http {

// A whole number from 1 to `most`; `standard` if the parameter is absent.
[[nodiscard]] Result<int> read_limit(const net::Request& request, int standard, int most);

// Adds `Link: <path?…>; rel="next"` with the request's own parameters and the new cursor, if there is a next page.
void link_next(net::Response& response, const Context& context, std::string_view next_cursor);

// A time in ISO 8601, as clients write it in a query. Nullopt for anything else, which then must be kQueryTime.
[[nodiscard]] std::optional<WallTime> parse_query_time(std::string text);
inline constexpr std::string_view kQueryTime =
    "ISO 8601, such as 2026-01-31T12:00:00Z or 2026-01-31T12:00:00.123+09:00";

// The function id in the path; `not_found` if it can be none.
[[nodiscard]] Result<FunctionId> path_function(Context& context);

[[nodiscard]] Error function_not_found();

}  // namespace infra::http
