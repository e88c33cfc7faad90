#include "support/manual_clock.h"

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>
#include <vector>

#include "core/mutex.h"

namespace infra {
namespace asio = boost::asio;

namespace {

// A suspended coroutine. The timer never fires by itself; cancelling it on its own thread resumes the coroutine.
struct Sleeper {
  Sleeper(const asio::any_io_executor& executor, SteadyTime until)
      : timer(executor, asio::steady_timer::time_point::max()), deadline(until) {}
  asio::steady_timer timer;
  SteadyTime deadline;
};

void wake(const std::shared_ptr<Sleeper>& sleeper) {
  asio::post(sleeper->timer.get_executor(), [sleeper] { sleeper->timer.cancel(); });
}

}  // namespace

struct ManualClock::Core {
  mutable Mutex mutex;
  CondVar changed;
  milliseconds elapsed INFRA_GUARDED_BY(mutex){0};
  std::vector<std::shared_ptr<Sleeper>> sleepers INFRA_GUARDED_BY(mutex);

  [[nodiscard]] SteadyTime now() const INFRA_REQUIRES(mutex) { return SteadyTime{std::chrono::hours{1}} + elapsed; }
  [[nodiscard]] std::size_t with_deadline() const INFRA_REQUIRES(mutex) {
    return static_cast<std::size_t>(
        std::ranges::count_if(sleepers, [](const auto& s) { return s->deadline != SteadyTime::max(); }));
  }
};

namespace {

class ManualSignal final : public Signal {
 public:
  explicit ManualSignal(std::shared_ptr<ManualClock::Core> core) : core_(std::move(core)) {}

  void notify() override {
    const MutexLock lock(core_->mutex);
    notified_ = true;
    if (sleeper_) wake(sleeper_);
  }

  Task<bool> wait_until(SteadyTime deadline) override {
    const auto sleeper = std::make_shared<Sleeper>(co_await asio::this_coro::executor, deadline);
    {
      const MutexLock lock(core_->mutex);
      if (notified_ || deadline <= core_->now()) co_return notified_;
      sleeper_ = sleeper;
      core_->sleepers.push_back(sleeper);
    }
    const Leaving leaving{*this};
    core_->changed.notify_all();
    co_await sleeper->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    const MutexLock lock(core_->mutex);
    co_return notified_;
  }

 private:
  struct Leaving {
    ManualSignal& signal;
    ~Leaving() {
      const MutexLock lock(signal.core_->mutex);
      std::erase(signal.core_->sleepers, signal.sleeper_);
      signal.sleeper_ = nullptr;
    }
  };

  const std::shared_ptr<ManualClock::Core> core_;
  std::shared_ptr<Sleeper> sleeper_ INFRA_GUARDED_BY(core_->mutex);
  bool notified_ INFRA_GUARDED_BY(core_->mutex) = false;
};

}  // namespace

ManualClock::ManualClock() : core_(std::make_shared<Core>()) {}
ManualClock::~ManualClock() = default;

WallTime ManualClock::now() const {
  const MutexLock lock(core_->mutex);
  return WallTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}} + core_->elapsed;
}

SteadyTime ManualClock::steady_now() const {
  const MutexLock lock(core_->mutex);
  return core_->now();
}

Task<void> ManualClock::sleep_until(SteadyTime deadline) {
  const auto never_notified = make_signal();
  co_await never_notified->wait_until(deadline);
}

std::shared_ptr<Signal> ManualClock::make_signal() {
  return std::make_shared<ManualSignal>(core_);
}

void ManualClock::advance(milliseconds step) {
  const MutexLock lock(core_->mutex);
  core_->elapsed += step;
  for (const auto& sleeper : core_->sleepers) {
    if (sleeper->deadline <= core_->now()) wake(sleeper);
  }
}

void ManualClock::await_sleepers(std::size_t count) {
  const MutexLock lock(core_->mutex);
  while (core_->with_deadline() < count) core_->changed.wait(core_->mutex);
}

}  // namespace infra
