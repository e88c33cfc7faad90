// The Executor port on the event threads.
#pragma once

#include "net/loops/event_loops.h"
#include "ports/executor.h"

namespace infra {

class SystemExecutor : public Executor {
 public:
  explicit SystemExecutor(net::EventLoops& loops) : loops_(loops) {}
  void spawn(TaskOwner owner, Task<void> task) override;
  void spawn_on_each(const TaskOwner& owner, const std::function<Task<void>()>& make) override;
  Task<void> yield() override;
  Task<bool> readable(int descriptor, milliseconds patience) override;
  Task<void> offload(std::function<void()> work) override;
  std::unique_ptr<Background> background(const char* name, Background::Step step) override;

 private:
  net::EventLoops& loops_;
};

}  // namespace infra
