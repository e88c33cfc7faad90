// A reference worker's result as ours are: with the ids that it may leave out, and an error where that worker can't
// have seen what it was to work on.
#pragma once

#include <string_view>

#include "adapters/redis/open_runs.h"
#include "core/job_result.h"

namespace infra {

// The worker id of a result that names none.
inline constexpr std::string_view kReferenceWorker = "reference-worker";

// `run` is what this controller accepted under the id, if it did.
[[nodiscard]] JobResult complete_reference_result(JobResult result, const RequestId& id,
                                                  const std::optional<AcceptedRun>& run);

}  // namespace infra
