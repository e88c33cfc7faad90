#include "app/health_monitor.h"

#include <atomic>

#include "core/mutex.h"
#include "telemetry/task_failures.h"

namespace infra::app {

namespace {

// One probe under way. Shared with the probing coroutine, because a hanging probe outlives its deadline.
struct Attempt {
  std::shared_ptr<Signal> done;
  Result<void> result;
};

Task<void> attempt(HealthProbe* probe, std::shared_ptr<Attempt> running) {
  running->result = co_await caught("health probe", probe->probe());
  running->done->notify();
}

double ms_since(SteadyTime start, SteadyTime now) {
  return std::chrono::duration<double, std::milli>(now - start).count();
}

}  // namespace

// The probes' first answers, which start() waits for.
struct FirstRound {
  std::atomic<std::size_t> left;
  std::shared_ptr<Signal> done;
};

struct HealthMonitor::State {
  State(std::vector<HealthProbe*> p, milliseconds i, Executor& e, Clock& c)
      : probes(std::move(p)), interval(i), executor(e), clock(c) {}

  void record(const std::string& name, EngineHealth seen) {
    const MutexLock lock(mutex);
    health[name] = std::move(seen);
  }

  // A probe that hangs is not asked again before it has answered: asking on would only pile up.
  static Task<void> probe_once(std::shared_ptr<State> self, HealthProbe* probe) {
    const SteadyTime start = self->clock.steady_now();
    auto running = std::make_shared<Attempt>();
    running->done = self->clock.make_signal();
    self->executor.spawn("health probe", attempt(probe, running));
    bool answered = co_await running->done->wait_until(start + kDeadline);
    while (!answered && !self->stopping) {
      self->record(probe->name(), {false, ms_since(start, self->clock.steady_now()), "It does not answer."});
      answered = co_await running->done->wait_until(self->clock.steady_now() + self->interval);
    }
    if (!answered) co_return;
    self->record(probe->name(), {running->result.has_value(), ms_since(start, self->clock.steady_now()),
                                 running->result ? std::string() : running->result.error().message});
  }

  static Task<void> probe_on(std::shared_ptr<State> self, HealthProbe* probe, std::shared_ptr<FirstRound> first) {
    co_await probe_once(self, probe);
    if (--first->left == 0) first->done->notify();
    while (!self->stopping) {
      co_await self->clock.sleep_until(next_beat(self->clock.steady_now(), self->interval));
      if (!self->stopping) co_await probe_once(self, probe);
    }
  }

  const std::vector<HealthProbe*> probes;
  const milliseconds interval;
  Executor& executor;
  Clock& clock;
  std::atomic<bool> stopping = false;
  mutable Mutex mutex;
  std::map<std::string, EngineHealth> health INFRA_GUARDED_BY(mutex);
};

HealthMonitor::HealthMonitor(std::vector<HealthProbe*> probes, milliseconds interval, Executor& executor, Clock& clock)
    : state_(std::make_shared<State>(std::move(probes), interval, executor, clock)) {
  for (const auto* probe : state_->probes) state_->health[probe->name()] = {false, 0, "It was not asked yet."};
}

HealthMonitor::~HealthMonitor() {
  stop();
}

Task<void> HealthMonitor::start() {
  const auto state = state_;
  const auto first = std::make_shared<FirstRound>(state->probes.size(), state->clock.make_signal());
  for (auto* probe : state->probes) state->executor.spawn("health monitor", State::probe_on(state, probe, first));
  co_await first->done->wait_until(state->clock.steady_now() + kDeadline);
}

void HealthMonitor::stop() {
  state_->stopping = true;
}

std::map<std::string, EngineHealth> HealthMonitor::snapshot() const {
  const MutexLock lock(state_->mutex);
  return state_->health;
}

}  // namespace infra::app
