// Whether a job that runs is still this worker's: its lease may be lost while the function is in it.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "core/mutex.h"

namespace infra::worker {

// Any thread.
class Hold {
 public:
  // Another worker has the job, or will: what runs here is stopped, now or when it begins.
  void lose() {
    const MutexLock lock(mutex_);
    lost_ = true;
    if (stop_) stop_();
  }
  [[nodiscard]] bool lost() const {
    const MutexLock lock(mutex_);
    return lost_;
  }

  // While it lives, `stop` is what ends the run. Not called after it.
  class Guard {
   public:
    Guard(Hold& hold, std::function<void()> stop) : hold_(hold) {
      const MutexLock lock(hold_.mutex_);
      hold_.stop_ = std::move(stop);
      if (hold_.lost_) hold_.stop_();
    }
    ~Guard() {
      const MutexLock lock(hold_.mutex_);
      hold_.stop_ = nullptr;
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Hold& hold_;
  };

 private:
  mutable Mutex mutex_;
  bool lost_ INFRA_GUARDED_BY(mutex_) = false;
  std::function<void()> stop_ INFRA_GUARDED_BY(mutex_);
};

using HoldPtr = std::shared_ptr<Hold>;

}  // namespace infra::worker
