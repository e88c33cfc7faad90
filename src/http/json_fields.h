// Reads what a person sent as JSON: the body's text, and small documents as values (core/json_members.h has the raw
// text).
#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "core/error.h"
#include "core/json_members.h"
#include "net/http/http_types.h"

namespace infra::http {

// "application/json", with or without parameters.
[[nodiscard]] bool is_json(const net::Headers& headers);

// The whole body, at most `max_bytes` of it. `unsupported_media` if the Content-Type names a charset that is not UTF-8.
Task<Result<std::string>> read_json_body(net::Request& request, std::uint64_t max_bytes);

// The checks of read_members() for small documents that are wanted as values.
[[nodiscard]] Result<boost::json::object> read_object(std::string_view document);

}  // namespace infra::http
