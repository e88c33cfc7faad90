// Time, and waiting for it. Everything that waits does so through this port, so that tests run on a virtual clock.
#pragma once

#include <poll.h>

#include <memory>
#include <span>

#include "core/task.h"
#include "core/time.h"

namespace infra {

// A one-shot event between threads: once notified it stays so. One coroutine waits at a time; any thread notifies.
class Signal {
 public:
  virtual ~Signal() = default;
  // Any thread, any number of times, also before there is a waiter. Never blocks, never runs the waiter inline.
  virtual void notify() = 0;
  // True once notified, false when `deadline` passed first. Resumes on the thread of the waiting coroutine.
  virtual Task<bool> wait_until(SteadyTime deadline) = 0;
};

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime now() const = 0;           // any thread; may jump
  [[nodiscard]] virtual SteadyTime steady_now() const = 0;  // any thread; never goes back
  virtual Task<void> sleep_until(SteadyTime deadline) = 0;
  // Shared, because the notifier may outlive the waiter and the other way round.
  [[nodiscard]] virtual std::shared_ptr<Signal> make_signal() = 0;

  // The rest blocks the calling thread, which is the blocking pool's (Executor::offload) or a Background's.

  // As poll(2): how many are ready; 0 once `deadline` has passed (SteadyTime::max(): never); -1 with errno.
  virtual int poll(std::span<pollfd> descriptors, SteadyTime deadline) = 0;
  virtual void pause_until(SteadyTime deadline) = 0;
};

}  // namespace infra
