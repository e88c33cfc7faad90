// An Executor that runs blocking work where it is asked for: adapters and use cases are tested on the test's own
// threads, and any number of these may use one of them at once.
#pragma once

#include <utility>

#include "adapters/system/background_thread.h"
#include "ports/executor.h"

namespace infra::fakes {

class InlineExecutor : public Executor {
 public:
  void spawn(TaskOwner, Task<void>) override {}
  void spawn_on_each(const TaskOwner&, const std::function<Task<void>()>&) override {}
  Task<void> yield() override { co_return; }
  Task<bool> readable(int, milliseconds) override { co_return false; }
  Task<void> offload(std::function<void()> work) override {
    work();
    co_return;
  }
  std::unique_ptr<Background> background(const char* name, Background::Step step) override {
    return std::make_unique<BackgroundThread>(name, std::move(step));
  }
};

}  // namespace infra::fakes
