// A one-shot wake-up between threads. Asio lacks one for coroutines: no wake-up is lost, and the waiter resumes on its
// own thread, whichever thread notifies.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "core/mutex.h"
#include "core/task.h"
#include "core/time.h"

namespace infra::net {

// One coroutine waits at a time; any thread notifies. Shared, because the notifier may outlive the waiter and the other
// way round.
class OneShotEvent : public std::enable_shared_from_this<OneShotEvent> {
 public:
  [[nodiscard]] static std::shared_ptr<OneShotEvent> create();
  OneShotEvent(const OneShotEvent&) = delete;
  OneShotEvent& operator=(const OneShotEvent&) = delete;

  // Any number of times, also before there is a waiter. Never runs the waiter inline.
  void notify();
  // True once notified, false if `deadline` passed first.
  Task<bool> wait_until(SteadyTime deadline);

 private:
  class Registration;
  OneShotEvent() = default;
  void wake();

  Mutex mutex_;
  bool notified_ INFRA_GUARDED_BY(mutex_) = false;
  boost::asio::steady_timer* waiter_ INFRA_GUARDED_BY(mutex_) = nullptr;  // in the waiting coroutine's frame
};

}  // namespace infra::net
