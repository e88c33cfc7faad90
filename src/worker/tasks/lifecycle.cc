#include "worker/tasks/lifecycle.h"

namespace infra::worker {

bool Lifecycle::begin_draining() {
  auto running = Phase::running;
  return phase_.compare_exchange_strong(running, Phase::draining);
}

Task<bool> Lifecycle::wait_within(Phase latest, milliseconds time) {
  const SteadyTime until = clock_.steady_now() + time;
  while (true) {
    const auto change = changed_.prepare_wait();
    if (phase() > latest) co_return false;
    if (clock_.steady_now() >= until) co_return true;
    co_await change->wait_until(until);
  }
}

}  // namespace infra::worker
