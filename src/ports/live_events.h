// Telling of runs while they happen, to those who look on. Engines: the program's own feed, Redis pub/sub.
#pragma once

#include <atomic>

#include "core/live_event.h"

namespace infra {

// Any thread.
class LiveEvents {
 public:
  LiveEvents() = default;
  virtual ~LiveEvents() = default;
  LiveEvents(const LiveEvents&) = delete;
  LiveEvents& operator=(const LiveEvents&) = delete;

  // Whether somebody looks on: one load, and all that a run pays while nobody does. To be asked before an event is
  // written.
  [[nodiscard]] bool is_wanted() const { return wanted_.load(std::memory_order_relaxed); }

  // Never blocks. What is too much is dropped, the oldest or the newest of it.
  virtual void tell(LiveEvent event) = 0;

 protected:
  void want(bool wanted) { wanted_.store(wanted, std::memory_order_relaxed); }

 private:
  std::atomic<bool> wanted_ = false;
};

}  // namespace infra
