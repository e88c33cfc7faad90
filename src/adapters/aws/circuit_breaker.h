// Spares a service that is away from calls, and callers from waiting for it: after some failures in a row calls fail at
// once, and one now and then finds out whether it is back.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/time.h"

namespace infra::aws {

// Any thread; no locks.
class CircuitBreaker {
 public:
  static constexpr int kFailuresToOpen = 5;
  static constexpr milliseconds kOpenFor{500};

  // May this call go out? While open one call in kOpenFor may; nothing has to be given back if it never ends.
  [[nodiscard]] bool admits(SteadyTime now);
  // Each call that was admitted tells how it went. True if this failure opened it.
  bool failed(SteadyTime now);
  // True if this success closed it.
  bool succeeded();

 private:
  std::atomic<int> failures_{0};
  std::atomic<SteadyTime::rep> next_probe_{0};  // of the steady clock; means something while open
};

}  // namespace infra::aws
