// Two atomics suffice because a decision that is late by one call does no harm.
#include "adapters/aws/circuit_breaker.h"

namespace infra::aws {
namespace {

SteadyTime::rep ticks(SteadyTime time) {
  return time.time_since_epoch().count();
}

}  // namespace

bool CircuitBreaker::admits(SteadyTime now) {
  if (failures_.load(std::memory_order_acquire) < kFailuresToOpen) return true;
  auto next = next_probe_.load(std::memory_order_relaxed);
  return ticks(now) >= next && next_probe_.compare_exchange_strong(next, ticks(now + kOpenFor));
}

bool CircuitBreaker::failed(SteadyTime now) {
  // Before the count, so that a thread that sees it open also sees until when.
  next_probe_.store(ticks(now + kOpenFor), std::memory_order_relaxed);
  return failures_.fetch_add(1, std::memory_order_acq_rel) + 1 == kFailuresToOpen;
}

bool CircuitBreaker::succeeded() {
  if (failures_.load(std::memory_order_relaxed) == 0) return false;  // keeps the cache line shared
  return failures_.exchange(0, std::memory_order_acq_rel) >= kFailuresToOpen;
}

}  // namespace infra::aws
