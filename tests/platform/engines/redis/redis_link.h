// How one connection to the simulated Redis is had and kept, by clients and subscribers alike: as
// net/redis/redis_dialer does it, one attempt after the other with growing pauses.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "platform/engines/redis/simulated_redis.h"
#include "ports/clock.h"

namespace infra::testing {

class RedisBackoff {
 public:
  explicit RedisBackoff(SimulatedRedis& redis) : redis_(redis) {}

  void note_connected(SteadyTime now) { connected_at_ = now; }
  // Zero after the first loss; more if connections keep breaking young.
  milliseconds after_loss(SteadyTime now) {
    if (now - connected_at_ >= kStable) pause_ = milliseconds(0);
    return next();
  }
  milliseconds after_failure() {
    pause_ = std::max(pause_, kFirstPause);
    return next();
  }

 private:
  static constexpr milliseconds kFirstPause{50};
  static constexpr milliseconds kLongestPause{1000};
  static constexpr std::chrono::seconds kStable{1};

  milliseconds next() {
    return redis_.jitter(std::exchange(pause_, std::clamp(pause_ * 2, kFirstPause, kLongestPause)));
  }

  SimulatedRedis& redis_;
  milliseconds pause_{0};
  SteadyTime connected_at_;
};

// What a connection's task waits for: news, told by whoever makes some.
class RedisNews {
 public:
  explicit RedisNews(Clock& clock) : clock_(clock) {}

  void tell() {
    told_ = true;
    if (signal_) signal_->notify();
  }
  // Until there is some since the last call, or `deadline`.
  Task<void> wait_until(SteadyTime deadline) {
    if (!std::exchange(told_, false)) {
      signal_ = clock_.make_signal();
      const auto signal = signal_;
      (void)co_await signal->wait_until(deadline);
      signal_.reset();
      told_ = false;
    }
  }

 private:
  Clock& clock_;
  std::shared_ptr<Signal> signal_;
  bool told_ = false;
};

}  // namespace infra::testing
