#include "adapters/redis/reference_result.h"

#include <utility>

#include "core/error_codes.h"

namespace infra {
namespace {

constexpr std::string_view kInputNotSeen =
    "A worker of the reference platform took this job, which can't read an input that does not fit into a queue "
    "message: "
    "the function may have run on an empty one. Send it again; until that worker is gone, such inputs are refused.";

// What was printed stays: it shows what the function did.
void mark_input_not_seen(JobResult& result) {
  result.status = RunStatus::error;
  if (result.exit_code == 0) result.exit_code = 1;
  result.error_code = errors::input_not_seen.code;
  result.error_message = kInputNotSeen;
  if (!result.err.empty() && result.err.back() != '\n') result.err += '\n';
  result.err += kInputNotSeen;
}

}  // namespace

JobResult complete_reference_result(JobResult result, const RequestId& id, const std::optional<AcceptedRun>& run) {
  result.request_id = id;
  if (run && !run->function.empty()) result.function_id = run->function;
  if (!is_valid_function_id(result.function_id.value)) result.function_id = {};
  if (result.worker_id.empty()) result.worker_id = {std::string(kReferenceWorker)};
  if (run && run->input_apart) mark_input_not_seen(result);
  return result;
}

}  // namespace infra
