// A rate with a burst: tokens come at a steady pace, and as many as `burst` wait unused. Pure; time is passed in.
#pragma once

#include "core/time.h"

namespace infra {

struct TokenPace {
  int burst = 1;               // at least 1
  milliseconds interval{100};  // between two tokens
};

// A token is always given, and with it the moment from which it counts: who takes more than there are waits longer with
// each (the generic cell rate algorithm of ITU-T I.371, as virtual scheduling).
class TokenBucket {
 public:
  explicit TokenBucket(const TokenPace& pace) : pace_(pace) {}

  // From when the token counts: `now` if there is one. `now` never goes back.
  [[nodiscard]] SteadyTime take(SteadyTime now) {
    const auto empty_at = now - pace_.interval * (pace_.burst - 1);
    if (next_ < empty_at) next_ = empty_at;
    const SteadyTime due = next_ > now ? next_ : now;
    next_ += pace_.interval;
    return due;
  }

 private:
  TokenPace pace_;
  SteadyTime next_ = SteadyTime::min();
};

}  // namespace infra
