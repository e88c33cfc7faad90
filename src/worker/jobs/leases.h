// What a job holds while it runs, renewed until it is over: its lease in the queue, and its part in its function's
// limit.
#pragma once

#include <memory>

#include "ports/clock.h"
#include "ports/job_queue.h"
#include "worker/jobs/hold.h"
#include "worker/jobs/run_gate.h"
#include "worker/tasks/task_group.h"

namespace infra::worker {

// Any thread.
class Leases {
 public:
  // Renews until end(); the renewals' coroutines end a moment after it.
  class Renewal {
   public:
    void end() const;

   private:
    friend class Leases;
    std::shared_ptr<Signal> lease_, permit_;  // one waits for each; `permit_` is null for a function without a limit
  };

  Leases(JobQueue& queue, RunGate& gate, TaskGroup& tasks, Clock& clock)
      : queue_(queue), gate_(gate), tasks_(tasks), clock_(clock) {}

  // A renewal that hears that the hand-over has ended loses the hold, and is the last.
  [[nodiscard]] Renewal renew(const Delivery& delivery, const RunGate::TicketPtr& ticket, const HoldPtr& hold);

 private:
  Task<void> renew_lease(std::string receipt, HoldPtr hold, std::shared_ptr<Signal> over);
  Task<void> renew_permit(RunGate::TicketPtr ticket, LimitedRun run, std::shared_ptr<Signal> over);

  JobQueue& queue_;
  RunGate& gate_;
  TaskGroup& tasks_;
  Clock& clock_;
};

}  // namespace infra::worker
