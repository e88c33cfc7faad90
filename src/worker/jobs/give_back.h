// Which jobs a stopping worker gives back to the queue, and giving them back.
#pragma once

#include <string>

#include "core/job.h"
#include "core/task.h"
#include "ports/job_queue.h"
#include "worker/tasks/lifecycle.h"

namespace infra::worker {

// Any thread.
class GiveBack {
 public:
  // `others_take_over`: a fleet, where another worker runs a job that is given back, waited for or not.
  GiveBack(JobQueue& queue, const Lifecycle& lifecycle, bool others_take_over)
      : queue_(queue), lifecycle_(lifecycle), others_take_over_(others_take_over) {}

  // Else a client of this program holds a connection for it.
  [[nodiscard]] bool is_allowed_for(const Job& job) const { return job.mode == RunMode::async || others_take_over_; }
  // The job is not to be begun any more.
  [[nodiscard]] bool is_due_for(const Job& job) const;

  Task<void> give_back(std::string receipt);

 private:
  JobQueue& queue_;
  const Lifecycle& lifecycle_;
  const bool others_take_over_;
};

}  // namespace infra::worker
