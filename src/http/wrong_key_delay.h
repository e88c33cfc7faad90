// Answers to wrong keys come late, so that nobody guesses many on one connection; those to right ones never do.
#pragma once

#include <atomic>
#include <cstddef>

#include "core/task.h"
#include "core/time.h"
#include "ports/clock.h"

namespace infra::http {

class WrongKeyDelay {
 public:
  static constexpr milliseconds kDelay{200};
  static constexpr std::size_t kMostAtOnce = 256;

  explicit WrongKeyDelay(Clock& clock) : clock_(clock) {}  // outlives this

  // Holds no thread, and at most so many requests at a time: whoever comes beside them has his answer at once. What an
  // address may try in a window is the rate limit's to bound. Any event thread.
  Task<void> wait();

 private:
  Clock& clock_;
  std::atomic<std::size_t> waiting_ = 0;
};

}  // namespace infra::http
