// Adopting: a reference platform's worker ran a job of ours and published its result. That worker writes no log row and
// counts nothing, so our controllers do, by the same conditional put as our own workers.
#pragma once

#include "core/job_result.h"
#include "ports/clock.h"
#include "ports/run_recorder.h"

namespace infra::app {

class AdoptResult {
 public:
  AdoptResult(RunRecorder& recorder, const Clock& clock) : recorder_(recorder), clock_(clock) {}

  // Once per request id however many controllers hear it. A result that names no function, or that answers a reference
  // controller's request, is left alone.
  Task<Result<void>> adopt(JobResult result);

 private:
  RunRecorder& recorder_;
  const Clock& clock_;
};

}  // namespace infra::app
