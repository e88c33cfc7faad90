// A function's envVars as others store and send them: an object, or an object's text, with values of any kind. What the
// reference platform's worker would set is set.
#pragma once

#include <string_view>

#include "core/function.h"

namespace infra::aws {

// Empty for what is neither. Values that are no strings become what Python's str() makes of them, but lists and objects
// stay JSON. Entries that an upload would not be allowed to have are left out, so that they can't break the runner.
[[nodiscard]] Environment read_stored_environment(std::string_view text);

}  // namespace infra::aws
