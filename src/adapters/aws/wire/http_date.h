// Dates as HTTP headers write them: what a service says of its clock (Date) and of when to come back (Retry-After).
#pragma once

#include <optional>
#include <string_view>

#include "core/time.h"

namespace infra::aws {

// "Sun, 06 Nov 1994 08:49:37 GMT", the one form that is still sent; nullopt for anything else.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace infra::aws
