// Takes jobs off the queue, no more than there are slots for, and runs each.
#pragma once

#include <atomic>

#include "ports/clock.h"
#include "ports/job_queue.h"
#include "worker/jobs/give_back.h"
#include "worker/jobs/leases.h"
#include "worker/jobs/run_gate.h"
#include "worker/jobs/run_job.h"
#include "worker/tasks/condition.h"
#include "worker/tasks/lifecycle.h"
#include "worker/tasks/task_group.h"

namespace infra::worker {

// Any thread.
class JobLoop {
 public:
  struct Deps {
    JobQueue& queue;
    RunGate& gate;
    Leases& leases;
    GiveBack& give_back;
    RunJob& runs;
    TaskGroup& tasks;
    const Lifecycle& lifecycle;
    Clock& clock;
  };

  explicit JobLoop(Deps deps) : deps_(deps), changed_(deps_.clock) {}

  // Receives until the worker stops; once.
  Task<void> run();
  // Receives on each event thread besides, until the worker drains: for a queue in this process, whose jobs are then
  // received on the thread that put them.
  void help_on_each_thread();

  // Runs a job in a slot of its own, and returns when it is done with.
  Task<void> run_beside(Delivery delivery);

  // While the worker drains: returns when the queue has handed out its last job and all are done with, or at
  // `deadline`.
  Task<void> wait_until_drained(SteadyTime deadline);

  void notify_all() { changed_.notify_all(); }  // a slot is free, or the phase has changed
  [[nodiscard]] int running_beside() const { return beside_; }

 private:
  Task<void> receive_until_stopped();
  Task<void> receive_once();
  Task<void> receive_alone();
  Task<void> help();
  void accept(Delivery delivery);
  [[nodiscard]] bool is_given_back(const Delivery& delivery) const;
  Task<void> handle(Delivery delivery, RunGate::TicketPtr ticket);

  const Deps deps_;
  Condition changed_;
  std::atomic<int> active_jobs_ = 0;       // accepted and not done with, those that wait for a permit included
  std::atomic<int> beside_ = 0;            // of them, in slots of their own
  std::atomic<int> helpers_ = 0;           // that receive besides run()
  std::atomic<bool> queue_empty_ = false;  // said by the last receive while draining
};

}  // namespace infra::worker
