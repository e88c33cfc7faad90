// A condition variable for coroutines, in the form of an event count: prepare to wait, look whether what is waited for
// holds, and if it doesn't, wait for the change.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "ports/clock.h"

namespace infra::worker {

// Any thread.
class Condition {
 public:
  explicit Condition(Clock& clock) : clock_(clock) {}

  // The next change from now on; a change before the wait for it is not lost.
  [[nodiscard]] std::shared_ptr<Signal> prepare_wait() {
    auto change = clock_.make_signal();
    const MutexLock lock(mutex_);
    // A waiter that gave up leaves its signal; drop those before they pile up.
    std::erase_if(waiting_, [](const auto& waiter) { return waiter.expired(); });
    waiting_.push_back(change);
    return change;
  }

  void notify_all() {
    std::vector<std::weak_ptr<Signal>> waiting;
    {
      const MutexLock lock(mutex_);
      waiting = std::exchange(waiting_, {});
    }
    for (const auto& waiter : waiting) {
      if (const auto signal = waiter.lock()) signal->notify();
    }
  }

 private:
  Clock& clock_;
  Mutex mutex_;
  std::vector<std::weak_ptr<Signal>> waiting_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra::worker
