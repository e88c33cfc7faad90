// One attempt to run a job: an instance is obtained, the function called in it, its output files are kept, and the
// instance waits for its next call or ends.
#pragma once

#include <functional>
#include <optional>

#include "core/job.h"
#include "core/job_result.h"
#include "core/task.h"
#include "ports/code_store.h"
#include "ports/executor.h"
#include "ports/job_queue.h"
#include "worker/instances/instance_source.h"
#include "worker/instances/ongoing_calls.h"
#include "worker/jobs/hold.h"

namespace infra::worker {

struct Attempt {
  JobResult result;
  bool interrupted = false;  // killed, or not begun, because the worker stops
  bool retry_later = false;  // an engine is away: the lease is let go, and the queue hands the job out again
  bool hand_on = false;      // the code store is away, or descriptors lack, no fault of the job's: tried again, then
                             // given back
};

// Any thread.
class CallFunction {
 public:
  struct Deps {
    InstanceSource& instances;
    OngoingCalls& calls;
    Places& places;
    CodeStore& code;
    const Lifecycle& lifecycle;
    Executor& executor;
    bool others_take_over = false;
    std::function<void(Runtime, Leftover)> on_not_reused;  // may be empty
  };

  explicit CallFunction(Deps deps) : deps_(std::move(deps)) {}

  // Where `hold` is lost meanwhile nothing is kept of it.
  Task<Attempt> call(const Delivery& delivery, bool may_retry, Hold& hold, Aside& aside);

 private:
  Task<Attempt> call_in(const InstancePtr& instance, const Delivery& delivery, Hold& hold,
                        std::optional<JobResult> cold_result);
  [[nodiscard]] Attempt not_started(const Job& job, const Error& error, bool may_retry) const;
  void tell_of_leftover(const Job& job, Leftover leftover) const;

  const Deps deps_;
};

}  // namespace infra::worker
