// How a worker hands in what came of a job. app/settle_job.h is the one that does it.
#pragma once

#include "core/error.h"
#include "core/job_result.h"
#include "core/task.h"
#include "ports/job_queue.h"

namespace infra {

class Settlement {
 public:
  virtual ~Settlement() = default;
  // True if the job was settled before (another worker was quicker, or this one died in between): don't run it again.
  virtual Task<Result<bool>> is_settled(const Job& job) = 0;
  // Result, log row, counters, then the message. Once per request id however often it is called.
  virtual Task<Result<void>> settle(const Delivery& delivery, JobResult result) = 0;
};

}  // namespace infra
