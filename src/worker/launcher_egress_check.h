// Whether this machine's launcher can give functions egress: asked when one that wants it is deployed.
#pragma once

#include "ports/egress_check.h"
#include "ports/executor.h"
#include "sandbox/launcher.h"

namespace infra::worker {

// Any thread.
class LauncherEgressCheck final : public EgressCheck {
 public:
  LauncherEgressCheck(sandbox::Launcher& launcher, Executor& executor) : launcher_(launcher), executor_(executor) {}

  Task<Result<void>> check_egress() override {
    Result<void> opened;
    co_await executor_.offload([&] { opened = launcher_.open_egress(); });
    co_return opened;
  }

 private:
  sandbox::Launcher& launcher_;
  Executor& executor_;
};

}  // namespace infra::worker
