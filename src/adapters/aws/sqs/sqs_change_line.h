// Which changes to a queue go into one request, and when it leaves. While few requests are in flight each change goes
// out at once; from then on changes wait for company until a request is full, one of them has waited long enough, or a
// request comes back.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "core/error.h"
#include "core/mutex.h"
#include "core/time.h"
#include "ports/clock.h"

namespace infra::aws {

// One change on its way. `outcome` is written by the thread that carries it out, before `done` is notified.
struct SqsChange {
  boost::json::object entry;  // as the action's Entries have it, without Id
  std::size_t bytes = 0;      // of SQS's limit for a request
  SteadyTime due;             // waits for company until then
  SteadyTime deadline;
  std::shared_ptr<Signal> done;
  Result<void> outcome{};
  bool throttled = false;
};

using SqsChanges = std::vector<std::shared_ptr<SqsChange>>;  // those of one request

// Any thread. What is taken is in flight until request_ended() has been called for it.
class SqsChangeLine {
 public:
  // Each gives the requests that are to be sent now.
  [[nodiscard]] std::vector<SqsChanges> add(std::shared_ptr<SqsChange> change, SteadyTime now);
  [[nodiscard]] std::vector<SqsChanges> take_due(SteadyTime now);
  [[nodiscard]] std::vector<SqsChanges> request_ended(SteadyTime now);

  // False if it has been taken.
  bool withdraw(const std::shared_ptr<SqsChange>& change);

 private:
  [[nodiscard]] std::vector<SqsChanges> take(SteadyTime now) INFRA_REQUIRES(mutex_);
  [[nodiscard]] std::size_t request_size() const INFRA_REQUIRES(mutex_);

  Mutex mutex_;
  std::deque<std::shared_ptr<SqsChange>> waiting_ INFRA_GUARDED_BY(mutex_);
  int in_flight_ INFRA_GUARDED_BY(mutex_) = 0;  // requests
};

}  // namespace infra::aws
