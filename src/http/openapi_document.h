// The description of the HTTP interface, OpenAPI 3.1, as the build embeds it: tools/openapi.py puts it together from
// openapi/ beside this file, the table of routes and the table of error codes.
#pragma once

#include <string_view>

namespace infra::http {

[[nodiscard]] std::string_view openapi_document();  // JSON
[[nodiscard]] std::string_view openapi_etag();      // with its quotes; another one if a byte of the document is

}  // namespace infra::http
