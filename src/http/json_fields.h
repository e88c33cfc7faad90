// Reads what a person sent as JSON. The raw text of a member can be kept as it came: a run's input must reach its
// function with its numbers as they were written.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/function.h"

namespace infra::http {

struct RawMember {
  std::string name;
  std::string_view text;  // the value's JSON text, inside the document that was given
};

// Checks the whole document (depth at most 64) and gives its top-level members in order. `invalid`: code invalid_json
// if it is not JSON or no object, duplicate_field if a name occurs twice.
[[nodiscard]] Result<std::vector<RawMember>> read_members(std::string_view document);

// The same checks for small documents that are wanted as values.
[[nodiscard]] Result<boost::json::object> read_object(std::string_view document);

// A JSON object of strings, as envVars is sent; `invalid` names the field.
[[nodiscard]] Result<Environment> read_environment(const boost::json::value& value);

}  // namespace infra::http
