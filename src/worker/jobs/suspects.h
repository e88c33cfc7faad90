// The suspects' slot, beside all others: jobs that a program may have died of run here, one at a time. It opens when
// this one has listened for a while, so that one that is killed as soon as it listens strikes nobody out.
#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "ports/suspect_queue.h"
#include "worker/tasks/lifecycle.h"

namespace infra::worker {

// Any thread.
class Suspects {
 public:
  static constexpr std::chrono::seconds kOpensAfter{2};

  using Run = std::function<Task<void>(Delivery)>;  // returns when the job is done with

  // `queue` may be null: there are no suspects.
  Suspects(SuspectQueue* queue, Lifecycle& lifecycle, Run run)
      : queue_(queue), lifecycle_(lifecycle), run_(std::move(run)) {}

  // From the moment that the program listens until there never will be suspects any more, or the worker drains; once.
  Task<void> run();
  // Gives back those that wait in this program alone, when the worker drains; once, beside run().
  Task<void> end();

 private:
  SuspectQueue* const queue_;
  Lifecycle& lifecycle_;
  const Run run_;
};

}  // namespace infra::worker
