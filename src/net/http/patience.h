// How long a peer may take for the bytes that it is to send or to read: a while, and more for what has gone over. Time
// in which we do not wait for it does not count.
#pragma once

#include <chrono>
#include <cstdint>

#include "core/time.h"

namespace infra::net {

struct Pace {
  milliseconds grace{60'000};
  std::uint64_t bytes_a_second = 4096;  // a second more for each
};

// What those are held to who keep bytes in memory, or a connection, while that is short.
inline constexpr Pace kHurriedPace{.grace = milliseconds(5'000), .bytes_a_second = 65'536};

// One body, one way.
class Patience {
 public:
  void begin_wait(SteadyTime now) { waiting_since_ = now; }
  void end_wait(SteadyTime now) { waited_ += now - waiting_since_; }
  void moved(std::uint64_t bytes) { bytes_ += bytes; }
  // When the wait that has begun is to end.
  [[nodiscard]] SteadyTime deadline(const Pace& pace) const {
    return waiting_since_ + pace.grace + milliseconds(bytes_ * 1000 / pace.bytes_a_second) - waited_;
  }

 private:
  std::uint64_t bytes_ = 0;
  SteadyTime::duration waited_{0};
  SteadyTime waiting_since_{};
};

}  // namespace infra::net
