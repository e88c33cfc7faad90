// Paging: reading `limit` and `cursor`, and the Link header that leads to the next page.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"
#include "http/context.h"

namespace infra::http {

// A whole number from 1 to `most`; `standard` if the parameter is absent.
[[nodiscard]] Result<int> read_limit(const net::Request& request, int standard, int most);

// Adds `Link: <path?…>; rel="next"` with the request's own parameters and the new cursor, if there is a next page.
void link_next(net::Response& response, const Context& context, std::string_view next_cursor);

// The function id in the path; `not_found` if it can be none.
[[nodiscard]] Result<FunctionId> path_function(Context& context);

[[nodiscard]] Error function_not_found();

}  // namespace infra::http
