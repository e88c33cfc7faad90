// Sleeping and signals run on whichever event thread the caller is on, so the clock itself has no state.
#include "adapters/system/system_clock.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

#include "net/loops/one_shot_event.h"

namespace infra {

namespace asio = boost::asio;

namespace {

class SystemSignal : public Signal {
 public:
  void notify() override { event_->notify(); }
  Task<bool> wait_until(SteadyTime deadline) override { return event_->wait_until(deadline); }

 private:
  std::shared_ptr<net::OneShotEvent> event_ = net::OneShotEvent::create();
};

}  // namespace

WallTime SystemClock::now() const {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady_now() const {
  return std::chrono::steady_clock::now();
}

Task<void> SystemClock::sleep_until(SteadyTime deadline) {
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  (void)co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

std::shared_ptr<Signal> SystemClock::make_signal() {
  return std::make_shared<SystemSignal>();
}

int SystemClock::poll(std::span<pollfd> descriptors, SteadyTime deadline) {
  int timeout = -1;
  if (deadline != SteadyTime::max()) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_now()).count();
    timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000));
  }
  return ::poll(descriptors.data(), descriptors.size(), timeout);
}

void SystemClock::pause_until(SteadyTime deadline) {
  std::this_thread::sleep_until(deadline);
}

}  // namespace infra
