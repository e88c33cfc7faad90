// One job from its slot to its settlement: perhaps settled before, run, settled, or back in the queue.
#pragma once

#include <functional>

#include "core/job_result.h"
#include "ports/clock.h"
#include "ports/job_queue.h"
#include "ports/live_events.h"
#include "ports/quarantine.h"
#include "ports/settlement.h"
#include "worker/jobs/call_function.h"
#include "worker/jobs/give_back.h"
#include "worker/jobs/run_gate.h"
#include "worker/jobs/run_times.h"
#include "worker/tasks/task_group.h"

namespace infra::worker {

// Any thread.
class RunJob {
 public:
  struct Deps {
    JobQueue& queue;
    Settlement& settlement;
    RunGate& gate;
    GiveBack& give_back;
    CallFunction& function;
    TaskGroup& tasks;
    Lifecycle& lifecycle;
    Clock& clock;
    WorkerId id;
    Quarantine* quarantine;                                         // may be null: there is none
    std::function<void(const JobResult&, const Job&)> on_finished;  // after it is settled. May be empty
    LiveEvents* live = nullptr;                                     // null: nobody looks on
    std::function<void(const Job&)> on_lost;  // of a run that was stopped, because another worker has the job. The same
    std::function<void(const JobResult&, const Job&, const RunTimes&)> on_settled{};  // beside on_finished. The same
    std::function<void(const Job&, milliseconds waited)> on_begun{};  // it has its slot, since its acceptance. The same
  };

  explicit RunJob(Deps deps) : deps_(std::move(deps)) {}

  // With a slot. False if the job goes back to the queue. One under which something breaks is settled as ERROR
  // (`internal`): it would break again.
  Task<bool> run(const Delivery& delivery, const RunGate::TicketPtr& ticket, Hold& hold);

 private:
  Task<Result<bool>> run_or_break(const Delivery& delivery, const RunGate::TicketPtr& ticket, Hold& hold);
  [[nodiscard]] std::optional<JobResult> refusal_of(const Delivery& delivery) const;
  Task<bool> was_settled(const Delivery& delivery);
  Task<void> settle(const Delivery& delivery, JobResult result);
  void tell_of_end(const JobResult& result, const Job& job, SteadyTime from) const;

  const Deps deps_;
};

}  // namespace infra::worker
