#include "worker/instances/housekeeping.h"

#include <algorithm>
#include <utility>

namespace infra::worker {
namespace {

constexpr milliseconds kPeriod{1000};
constexpr milliseconds kShortestPeriod{10};
// Giving memory back takes a processor's time, which calls need more while there are many.
constexpr milliseconds kTrimAfter{500};
constexpr milliseconds kTrimWhenBusyAfter{30'000};
constexpr milliseconds kTrimPause{15};  // between a few, which take a processor as long, and the next few

}  // namespace

Task<void> Housekeeping::run() {
  const milliseconds period = std::clamp(deps_.idle_timeout / 4, kShortestPeriod, kPeriod);
  while (deps_.lifecycle.phase() != Phase::stopping) {
    const bool short_of_memory = deps_.short_of_memory && deps_.short_of_memory();
    co_await trim_idle(short_of_memory);
    const SteadyTime now = deps_.clock.steady_now();
    co_await deps_.places.end(deps_.pool.take_expired(now));
    co_await deps_.places.end(deps_.pool.take_dead());
    if (short_of_memory) {
      if (auto least = deps_.pool.take_least_valuable(now)) co_await deps_.places.end(std::move(least));
    }
    const SteadyTime by_now = deps_.clock.steady_now();
    co_await deps_.lifecycle.wait_within(Phase::draining,
                                         std::chrono::ceil<milliseconds>(next_beat(by_now, period) - by_now));
  }
}

Task<void> Housekeeping::trim_idle(bool short_of_memory) {
  for (bool more = true; more && deps_.lifecycle.phase() != Phase::stopping;) {
    const auto patience = deps_.is_busy() && !short_of_memory ? kTrimWhenBusyAfter : kTrimAfter;
    if (!deps_.pool.can_trim(deps_.clock.steady_now(), patience)) co_return;
    co_await deps_.executor.offload([&] { more = deps_.pool.trim_idle(deps_.clock.steady_now(), patience); });
    if (more) co_await deps_.clock.sleep_until(deps_.clock.steady_now() + kTrimPause);
  }
}

}  // namespace infra::worker
