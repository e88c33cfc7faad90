// Of which start of its job a stored result is, as far as its output files go: for those who have its text alone.
#pragma once

#include <optional>
#include <string_view>

#include "core/ids.h"

namespace infra::app {

// output_attempt_of() (core/job_result.h) the result; 0 if it is another run's, nullopt if it can't be read. Takes an
// event thread long for a long text.
[[nodiscard]] std::optional<int> told_attempt(std::string_view json, const FunctionId& function,
                                              const RequestId& request);

}  // namespace infra::app
