// The Launcher port without processes: each sandbox has a simulated runner at the other end of a real socket.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "platform/memory_function.h"
#include "platform/scheduler.h"
#include "platform/virtual_clock.h"
#include "platform/virtual_executor.h"
#include "sandbox/launcher.h"

namespace infra::sim {

struct MemoryLauncherOptions {
  std::filesystem::path versions;  // the worker's versions root
  int capacity = 8;
  // How long a launch takes, and why it fails, if it does: asked at each. May be empty.
  std::function<milliseconds()> takes{};
  std::function<std::optional<Error>()> fails{};
};

class MemoryLauncher final : public sandbox::Launcher {
 public:
  // All must outlive it; its sandboxes must not.
  MemoryLauncher(Scheduler& scheduler, VirtualClock& clock, VirtualExecutor& executor, const MemoryFunctions& functions,
                 MemoryLauncherOptions options)
      : scheduler_(scheduler),
        clock_(clock),
        executor_(executor),
        functions_(functions),
        options_(std::move(options)) {}

  Result<std::unique_ptr<sandbox::Sandbox>> launch(const sandbox::LaunchRequest& request) override;
  [[nodiscard]] int capacity() const override { return options_.capacity; }
  [[nodiscard]] int running() const { return *running_; }

 private:
  Scheduler& scheduler_;
  VirtualClock& clock_;
  VirtualExecutor& executor_;
  const MemoryFunctions& functions_;
  const MemoryLauncherOptions options_;
  const std::shared_ptr<int> running_ = std::make_shared<int>(0);
};

}  // namespace infra::sim
