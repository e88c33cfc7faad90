// The other end of a simulated sandbox: speaks the runner protocol (docs/runner-protocol.md) over a real socket, and
// does what the function's lambda says.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/task.h"
#include "platform/memory_function.h"
#include "platform/scheduler.h"
#include "platform/virtual_clock.h"
#include "sandbox/launcher.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sim {

// What both sides of a simulated sandbox know.
struct RunnerState {
  explicit RunnerState(VirtualClock& c) : clock(c) {}

  // Its process is gone: the ends of its socket and pipes are closed.
  void end(const sandbox::SandboxExit& how);
  [[nodiscard]] bool ended() const { return exit.has_value(); }

  VirtualClock& clock;
  sandbox::UniqueFd control, out, err;  // its own ends
  sandbox::UniqueFd is_over;            // an eventfd: readable once it has ended
  std::optional<sandbox::SandboxExit> exit;
  std::function<void()> call_over;  // of a call that is at work
  // The call's work is done.
  void end_call() {
    if (const auto over = std::exchange(call_over, nullptr)) over();
  }
  sandbox::SandboxUsage usage{.cpu_us = 15'000, .peak_memory_bytes = std::int64_t{12} * 1024 * 1024};
  std::int64_t held_bytes = std::int64_t{12} * 1024 * 1024;
  int processes = 0;  // that calls left
  bool frozen = false;
  std::shared_ptr<Signal> thawed;
  std::vector<std::pair<std::string, std::string>> output;
  std::int64_t output_bytes = 0;
};

// Until the socket is closed or it is killed. `name` is the function's word.
Task<void> run_memory_runner(std::shared_ptr<RunnerState> state, Scheduler& scheduler, const MemoryFunctions& functions,
                             std::string name);
// The builder in its place: it compiles nothing.
Task<void> run_memory_builder(std::shared_ptr<RunnerState> state, Scheduler& scheduler);

}  // namespace infra::sim
