// The waiter sleeps on a timer of its own; notify() has that timer cancelled on the waiter's thread, where alone it may
// be touched.
#include "net/loops/one_shot_event.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace infra::net {

namespace asio = boost::asio;

// Takes the timer back however the wait ends, also when the coroutine is destroyed in it.
class OneShotEvent::Registration {
 public:
  explicit Registration(std::shared_ptr<OneShotEvent> event) : event_(std::move(event)) {}
  ~Registration() {
    const MutexLock lock(event_->mutex_);
    event_->waiter_ = nullptr;
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  std::shared_ptr<OneShotEvent> event_;
};

std::shared_ptr<OneShotEvent> OneShotEvent::create() {
  return std::shared_ptr<OneShotEvent>(new OneShotEvent);
}

void OneShotEvent::notify() {
  const MutexLock lock(mutex_);
  if (notified_) return;
  notified_ = true;
  if (waiter_ == nullptr) return;
  // Under the lock, so that the timer, and with it the executor's context, is still there. On its own thread it is
  // cancelled at once, which runs nothing inline either: the waiter is the next in line then.
  const auto executor = waiter_->get_executor();
  const auto* const loop = executor.target<asio::io_context::executor_type>();
  if (loop != nullptr && loop->running_in_this_thread()) {
    waiter_->cancel();
  } else {
    asio::post(executor, [self = shared_from_this()] { self->wake(); });
  }
}

void OneShotEvent::wake() {
  const MutexLock lock(mutex_);
  if (waiter_ != nullptr) waiter_->cancel();
}

Task<bool> OneShotEvent::wait_until(SteadyTime deadline) {
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  {
    const MutexLock lock(mutex_);
    if (notified_) co_return true;
    waiter_ = &timer;
  }
  Registration registration(shared_from_this());
  // A notify() from here on posts to this thread, so it cannot run before the wait below has begun.
  (void)co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  const MutexLock lock(mutex_);
  co_return notified_;
}

}  // namespace infra::net
