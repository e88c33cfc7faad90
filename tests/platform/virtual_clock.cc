#include "platform/virtual_clock.h"

#include <cerrno>
#include <cmath>
#include <vector>

namespace infra::sim {
namespace {

constexpr WallTime kBeginning{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}};
constexpr SteadyTime kEndOfTime{std::chrono::hours(24 * 365 * 100)};
constexpr double kSeldom = 0.25;  // a call that need not wait lets others go first

class VirtualSignal final : public Signal, public std::enable_shared_from_this<VirtualSignal> {
 public:
  VirtualSignal(Scheduler& scheduler, const MachineTime& time) : scheduler_(scheduler), time_(time) {}

  void notify() override {
    notified_ = true;
    scheduler_.wake(std::exchange(waiter_, 0));
  }
  Task<bool> wait_until(SteadyTime deadline) override {
    const auto self = shared_from_this();
    if (!notified_) {
      co_await scheduler_.suspend({.what = "a signal", .words = {}, .deadline = time_.when(deadline)},
                                  [this](Scheduler::WaitId id) { waiter_ = id; });
      waiter_ = 0;
    }
    co_return notified_;
  }

 private:
  Scheduler& scheduler_;
  const MachineTime& time_;
  Scheduler::WaitId waiter_ = 0;
  bool notified_ = false;
};

}  // namespace

void MachineTime::set_drift(WorldTime now, double millionths) {
  const double new_rate = 1 + millionths / 1e6;
  steady_since_ = steady(now).time_since_epoch();
  since_ = now;
  rate_ = new_rate;
}

SteadyTime MachineTime::steady(WorldTime now) const {
  const auto passed = static_cast<std::int64_t>(std::floor(static_cast<double>((now - since_).count()) * rate_));
  return SteadyTime(steady_since_ + std::chrono::nanoseconds(rate_ == 1 ? (now - since_).count() : passed));
}

WallTime MachineTime::wall(WorldTime now) const {
  return kBeginning + wall_offset_ + std::chrono::floor<milliseconds>(steady(now).time_since_epoch());
}

std::optional<WorldTime> MachineTime::when(SteadyTime deadline) const {
  if (deadline >= kEndOfTime) return std::nullopt;
  const auto left = deadline.time_since_epoch() - steady_since_;
  if (rate_ == 1) return since_ + left;
  return since_ + WorldTime(static_cast<std::int64_t>(std::ceil(static_cast<double>(left.count()) / rate_)) + 1);
}

SteadyTime VirtualClock::steady_now() const {
  if (process_.state == Process::State::ended) return kEndOfTime;
  return time_.steady(scheduler_.look());
}

Task<void> VirtualClock::sleep_until(SteadyTime deadline) {
  co_await scheduler_.suspend({.what = "time", .words = {}, .deadline = time_.when(deadline)});
}

std::shared_ptr<Signal> VirtualClock::make_signal() {
  return std::make_shared<VirtualSignal>(scheduler_, time_);
}

int VirtualClock::poll(std::span<pollfd> descriptors, SteadyTime deadline) {
  if (Fiber::current() != nullptr && scheduler_.dice().chance(kSeldom)) {
    scheduler_.block(process_, {.what = "its turn", .words = {}, .deadline = scheduler_.now()});
  }
  while (true) {
    if (process_.state == Process::State::ended) {
      errno = EIO;
      return -1;
    }
    const int ready = ::poll(descriptors.data(), descriptors.size(), 0);
    const auto until = time_.when(deadline);
    if (ready != 0 || (until && *until <= scheduler_.now())) return ready;
    scheduler_.block(process_, {.what = "descriptors",
                                .words = {},
                                .deadline = until,
                                .descriptors = std::vector<pollfd>(descriptors.begin(), descriptors.end())});
  }
}

void VirtualClock::pause_until(SteadyTime deadline) {
  const auto until = time_.when(deadline);
  if (until && *until <= scheduler_.now()) return;
  scheduler_.block(process_, {.what = "time", .words = {}, .deadline = until});
}

}  // namespace infra::sim
