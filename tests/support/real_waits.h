// How test clocks block: in real time, for as long as their own time says, because a process knows no other.
#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <thread>

#include "ports/clock.h"

namespace infra {

inline int poll_really(const Clock& clock, std::span<pollfd> descriptors, SteadyTime deadline) {
  if (deadline == SteadyTime::max()) return ::poll(descriptors.data(), descriptors.size(), -1);
  const auto left = std::chrono::ceil<milliseconds>(deadline - clock.steady_now()).count();
  return ::poll(descriptors.data(), descriptors.size(),
                static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000)));
}

inline void pause_really(const Clock& clock, SteadyTime deadline) {
  std::this_thread::sleep_for(deadline - clock.steady_now());
}

}  // namespace infra
