// Tasks that go on for as long as the program does: an exception costs one a second.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>
#include <utility>

#include "core/task.h"
#include "ports/clock.h"
#include "ports/executor.h"
#include "telemetry/task_failures.h"

namespace infra {

inline constexpr std::chrono::seconds kPauseAfterFailure{1};

// Returns when a task of `make` does; one that ends with an exception is reported, and another is begun.
inline Task<void> supervised(Clock& clock, std::string_view words, std::function<Task<void>()> make) {
  while (!co_await caught(words, make())) co_await clock.sleep_until(clock.steady_now() + kPauseAfterFailure);
}

// `words` is a plain literal.
inline void spawn_supervised(Executor& executor, Clock& clock, const char* words, std::function<Task<void>()> make) {
  executor.spawn(words, supervised(clock, words, std::move(make)));
}

}  // namespace infra
