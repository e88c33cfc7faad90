// Jobs on their way to a worker: at least once, with a visibility timeout and a dead-letter state. Engines: SQLite with
// an in-process wake-up, SQS.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/job.h"
#include "core/limits.h"
#include "core/task.h"
#include "core/time.h"

namespace infra {

class Turns;  // ports/turns.h

// A job as handed to one worker. `receipt` names this hand-over and dies with its visibility.
struct Delivery {
  Job job;
  std::string receipt;
  int receives = 1;   // how often it has been handed out, this time included; a crash of the whole program costs none
  bool fresh = true;  // certainly for the first time: it can't have been settled
  // Why no worker can run it; such a job is settled as ERROR. Of a message that can't be read its ids and its reply
  // channel are known. Where its input travelled beside it and is gone, it may be a late duplicate of a settled job.
  std::optional<Error> cannot_run{};
  // Its waiter (a reference controller) may not listen before: its result is told no sooner.
  SteadyTime tell_from{};
};

// Its worker was lost each time that it was started: it is not started again, and told so.
[[nodiscard]] inline bool is_given_up(const Delivery& delivery) {
  return !delivery.cannot_run && delivery.receives > limits::kMaxReceives;
}

struct QueueDepth {
  std::int64_t ready = 0;      // waiting for a worker
  std::int64_t in_flight = 0;  // handed out
  std::int64_t dead = 0;
};

// Every method may be called from any event thread, and fails with `unavailable` when the engine does not answer.
class JobQueue {
 public:
  virtual ~JobQueue() = default;

  // An async job is on disk (or at the service) when this returns; a sync one need only be on its way. `unavailable`
  // (code queue_full, retry_after set) when the bound for waiting jobs is met, `too_large` if no worker could be given
  // it. A queue of one machine also knows its ids: `conflict` if the request id is queued already.
  virtual Task<Result<void>> enqueue(const Job& job) = 0;

  // From here on a job is handed out only in its turn, with a slot that `turns` took for it: a worker's queue is told
  // so before its first receive(), and null when the worker is gone. Without turns the functions take turns.
  virtual void attach(Turns* /*turns*/) {}
  // There may be a turn for somebody: receivers that wait look again.
  virtual void look_for_turns() {}

  // At most `max` jobs, a function's oldest first where the engine has an order; waits up to `wait` for the first, then
  // gives what there is (perhaps nothing). What it gives is invisible to others for limits::kVisibility.
  virtual Task<Result<std::vector<Delivery>>> receive(int max, milliseconds wait) = 0;

  // Invisible for limits::kVisibility more, from now. `not_found` if the receipt is dead.
  virtual Task<Result<void>> extend(const std::string& receipt) = 0;

  // Done: gone for good. A dead receipt is no error.
  virtual Task<Result<void>> acknowledge(const std::string& receipt) = 0;

  // Not started after all: visible again at once, and the hand-over does not count as a receive.
  virtual Task<Result<void>> give_back(const std::string& receipt) = 0;

  // Gives up: out of the queue for good. On one machine it is kept as a dead letter with its reason for an operator; in
  // a fleet the reason is in its result and its log row.
  virtual Task<Result<void>> bury(const std::string& receipt, const std::string& reason) = 0;

  // The program stops: from now on receives don't wait, those that do included. On one machine they give sync jobs
  // only, because no other program can run those; in a fleet nothing.
  virtual void wake_receivers() = 0;

  virtual Task<Result<QueueDepth>> depth() = 0;
};

}  // namespace infra
