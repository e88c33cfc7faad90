// Counts what happens on other threads, for a test that waits until something has happened often enough.
#pragma once

#include <chrono>

#include "core/mutex.h"

namespace infra::testing {

class EventCounter {
 public:
  void add() {
    const MutexLock lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  [[nodiscard]] int value() const {
    const MutexLock lock(mutex_);
    return count_;
  }
  // Blocks until there are `least`; false if that takes ten seconds.
  [[nodiscard]] bool await(int least) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    const MutexLock lock(mutex_);
    while (count_ < least) {
      if (!changed_.wait_until(mutex_, deadline)) return count_ >= least;
    }
    return true;
  }

 private:
  mutable Mutex mutex_;
  mutable CondVar changed_;
  int count_ INFRA_GUARDED_BY(mutex_) = 0;
};

}  // namespace infra::testing
