// The exact sliding window: never more than `limit` admissions in any window of the given length. Pure; time is passed
// in.
#pragma once

#include <chrono>
#include <deque>

#include "core/time.h"

namespace infra {

struct RatePolicy {
  int limit = 100;  // 0 turns the limit off
  std::chrono::seconds window{60};
};

// A client's budget, as answers report it.
struct RateDecision {
  bool allowed = true;
  int limit = 0;
  int remaining = 0;
  milliseconds reset_after{0};  // until the oldest admission leaves the window (refused: until one more is let through)
};

class SlidingWindow {
 public:
  // Counts the request if it is let through; a refused one leaves no trace. `now` never goes back.
  RateDecision admit(const RatePolicy& policy, SteadyTime now);
  // Takes back an admission that was made at `at`: no trace of it is left.
  void withdraw(SteadyTime at);
  [[nodiscard]] bool is_idle(const RatePolicy& policy, SteadyTime now) const;

 private:
  std::deque<SteadyTime> admitted_;  // oldest first; never more than the limit
};

}  // namespace infra
