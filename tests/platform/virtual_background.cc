#include "platform/virtual_background.h"

#include <stdexcept>
#include <utility>

namespace infra::sim {
namespace {

constexpr WorldTime kForEver = std::chrono::hours(24 * 365);

}  // namespace

struct VirtualBackground::State {
  Scheduler& scheduler;
  Process& process;
  VirtualClock& clock;
  const char* name;
  const Step run;
  bool woken = false;
  bool planned = false;  // a fiber is on its way to a step
  bool running = false;
  bool over = false;
  SteadyTime again = SteadyTime::max();
  Scheduler::WaitId alarm = 0;
  Scheduler::WaitId watcher = 0;
};

VirtualBackground::VirtualBackground(Scheduler& scheduler, Process& process, VirtualClock& clock, const char* name,
                                     Step step)
    : state_(std::make_shared<State>(
          State{.scheduler = scheduler, .process = process, .clock = clock, .name = name, .run = std::move(step)})) {}

VirtualBackground::~VirtualBackground() {
  State& state = *state_;
  state.over = true;
  if (Fiber::current() == nullptr) {
    if (state.process.state != Process::State::ended)
      state.scheduler.run_until([&] { return !state.running; }, kForEver);
    return;
  }
  while (state.running && state.process.state != Process::State::ended) {
    state.scheduler.block(state.process, {.what = "a step's end", .words = {}},
                          [&](Scheduler::WaitId id) { state.watcher = id; });
  }
}

void VirtualBackground::wake() {
  if (std::exchange(state_->woken, true)) return;
  begin(state_);
}

void VirtualBackground::begin(const std::shared_ptr<State>& state) {
  if (state->planned || state->running || state->over) return;
  state->planned = true;
  state->scheduler.start_fiber(state->process, state->name, Scheduler::Kind::thread, [state] {
    state->planned = false;
    if (!state->over && !state->running) step(state);
  });
}

// On the calling fiber, or the thread's own stack.
void VirtualBackground::step(const std::shared_ptr<State>& state) {
  state->running = true;
  state->woken = false;
  state->again = state->run();
  state->running = false;
  state->scheduler.wake(std::exchange(state->watcher, 0));
  if (!state->over) plan(state);
}

// The next step: at once, at its time, or when it is woken.
void VirtualBackground::plan(const std::shared_ptr<State>& state) {
  if (state->woken || state->again <= state->clock.steady_now()) return begin(state);
  const auto when = state->clock.when(state->again);
  if (!when) return;
  state->alarm =
      state->scheduler.wait(state->process, {.what = "its next step", .words = state->name, .deadline = when},
                            [state, planned = state->again](bool) {
                              if (state->again == planned) begin(state);
                            });
}

void VirtualBackground::run_until(const std::function<bool()>& done) {
  State& state = *state_;
  wake();
  while (!done() && state.process.state != Process::State::ended) {
    if (!state.running) {
      step(state_);
      if (done() || state.woken || state.again <= state.clock.steady_now()) continue;
    }
    if (Fiber::current() == nullptr) {
      if (!state.scheduler.step()) throw std::logic_error("background work is waited for that never ends");
    } else {
      state.scheduler.block(state.process, {.what = "a step", .words = {}, .deadline = state.clock.when(state.again)},
                            [&](Scheduler::WaitId id) { state.watcher = id; });
    }
  }
}

}  // namespace infra::sim
