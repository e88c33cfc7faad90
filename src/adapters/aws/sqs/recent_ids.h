// The ids seen lately, so that a message which comes again and again is reported once.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_set>
#include <utility>

#include "core/mutex.h"

namespace infra {

// Any thread. It remembers the last 1,000.
class RecentIds {
 public:
  // True if it was not there.
  bool add(std::string id) {
    const MutexLock lock(mutex_);
    if (!known_.insert(id).second) return false;
    order_.push_back(std::move(id));
    if (order_.size() > kMost) {
      known_.erase(order_.front());
      order_.pop_front();
    }
    return true;
  }

 private:
  static constexpr std::size_t kMost = 1000;
  Mutex mutex_;
  std::unordered_set<std::string> known_ INFRA_GUARDED_BY(mutex_);
  std::deque<std::string> order_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra
