// The exact sliding-window limiter. Engines: in process; Redis with one Lua script.
#pragma once

#include <string>

#include "core/error.h"
#include "core/sliding_window.h"
#include "core/task.h"

namespace infra {

class RateLimiter {
 public:
  virtual ~RateLimiter() = default;
  // Counts the request on `key` if it is let through. Never fails: an engine that can't be reached is answered for by
  // the window that this program keeps itself. Any event thread.
  virtual Task<RateDecision> admit(const std::string& key) = 0;
  // The same with another limit than the platform's, in its window; for a key that has no other.
  virtual Task<RateDecision> admit(const std::string& key, int limit) = 0;
};

}  // namespace infra
