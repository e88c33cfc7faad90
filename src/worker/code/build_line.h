// Who compiles next: a few at once, a bounded line behind them, and turns that go round among those who wait, so that
// one sender's uploads keep nobody else's first run waiting.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/mutex.h"
#include "core/task.h"
#include "ports/clock.h"

namespace infra::worker {

// Any thread. Must outlive its turns.
class BuildLine {
 public:
  struct Bounds {
    int at_once = 2;
    std::size_t waiting = 32;
    std::size_t waiting_of_one = 8;
  };

  // Ends when it is destroyed.
  class Turn {
   public:
    explicit Turn(BuildLine& line) : line_(&line) {}
    ~Turn() {
      if (line_ != nullptr) line_->pass_on();
    }
    Turn(Turn&& other) noexcept : line_(std::exchange(other.line_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;

   private:
    BuildLine* line_;
  };

  BuildLine(Clock& clock, Bounds bounds) : clock_(clock), bounds_(bounds) {}

  // Waits for a turn. `unavailable` (code builds_busy), at once, where the line or the sender's part of it is full.
  Task<Result<Turn>> enter(std::string sender);

  [[nodiscard]] std::size_t waiting() const;

 private:
  struct Seat {
    std::shared_ptr<Signal> signal;
    bool granted = false;  // under the line's lock
  };
  class Waiting;
  void pass_on();
  void leave(const std::string& sender, const std::shared_ptr<Seat>& seat);

  Clock& clock_;
  const Bounds bounds_;
  mutable Mutex mutex_;
  int running_ INFRA_GUARDED_BY(mutex_) = 0;
  std::size_t waiting_ INFRA_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::deque<std::shared_ptr<Seat>>> seats_ INFRA_GUARDED_BY(mutex_);  // by sender
  std::deque<std::string> round_ INFRA_GUARDED_BY(mutex_);  // the senders who wait, the next one first
};

}  // namespace infra::worker
