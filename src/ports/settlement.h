// How a worker hands in what came of a job. app/settle_job.h is the one that does it.
#pragma once

#include <memory>

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
  // Fills in what is known beside the run itself, before the first settle().
  virtual void complete(const Job& job, JobResult& result) = 0;
  // Result, log row, counters, then the message. Once per request id however often it is called. The result is kept as
  // long as somebody waits for it, and may be large: it is not copied.
  virtual Task<Result<void>> settle(const Delivery& delivery, std::shared_ptr<const JobResult> result) = 0;
};

}  // namespace infra
