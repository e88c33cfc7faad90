// The ids seen lately, so that a message which comes again and again is reported once.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>

namespace infra {

// Any thread. It remembers the last 1,000.
class RecentIds {
 public:
  // True if it was not there.
  bool add(std::string id) {
    const std::scoped_lock lock(mutex_);
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
  std::mutex mutex_;
  std::unordered_set<std::string> known_;
  std::deque<std::string> order_;
};

}  // namespace infra
