// Health of the launcher: without it the program accepts work that it can't do.
#pragma once

#include "core/operator_error_codes.h"
#include "ports/health_probe.h"
#include "sandbox/launcher.h"

namespace infra::worker {

class LauncherProbe final : public HealthProbe {
 public:
  explicit LauncherProbe(const sandbox::Launcher& launcher) : launcher_(launcher) {}
  [[nodiscard]] std::string name() const override { return "sandbox"; }
  Task<Result<void>> probe() override {
    if (launcher_.alive()) co_return Result<void>{};
    co_return fail(errors::spawner_gone, "The spawner has ended; restart infra.");
  }

 private:
  const sandbox::Launcher& launcher_;
};

}  // namespace infra::worker
