// Runs a coroutine to its end on a test's event thread, while the clock that it waits by moves on.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <utility>

#include "support/manual_clock.h"
#include "support/worker_world.h"

namespace infra::worker {

inline void run_as_time_passes(TestLoop& loop, ManualClock& clock, Task<void> task) {
  auto ended = asio::co_spawn(loop.loop(), std::move(task), asio::use_future);
  while (ended.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) clock.advance(milliseconds(2));
  ended.get();
}

}  // namespace infra::worker
