// Reads what a person sent as JSON, as values (core/json_members.h has the raw text).
#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "core/error.h"
#include "core/function.h"
#include "core/json_members.h"

namespace infra::http {

// The checks of read_members() for small documents that are wanted as values.
[[nodiscard]] Result<boost::json::object> read_object(std::string_view document);

// A JSON object of strings, as envVars is sent; `invalid` names the field.
[[nodiscard]] Result<Environment> read_environment(const boost::json::value& value);

}  // namespace infra::http
