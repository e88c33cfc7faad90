#include "app/told_attempt.h"

#include "core/job_result.h"

namespace infra::app {

std::optional<int> told_attempt(std::string_view json, const FunctionId& function, const RequestId& request) {
  const auto result = parse_job_result(json);
  if (!result) return std::nullopt;
  if (result->function_id != function || result->request_id != request) return 0;
  return output_attempt_of(*result);
}

}  // namespace infra::app
