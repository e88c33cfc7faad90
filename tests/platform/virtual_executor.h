// The Executor port on a world's scheduler: one event thread, a pool whose calls begin when the dice say so, and
// background work as fibers.
#pragma once

#include <functional>
#include <memory>

#include "platform/scheduler.h"
#include "platform/virtual_clock.h"
#include "ports/executor.h"

namespace infra::sim {

class VirtualExecutor final : public Executor {
 public:
  // All must outlive it, and the Backgrounds that it makes.
  VirtualExecutor(Scheduler& scheduler, Process& process, VirtualClock& clock)
      : scheduler_(scheduler), process_(process), clock_(clock) {}

  void spawn(TaskOwner owner, Task<void> task) override;
  void spawn_on_each(const TaskOwner& owner, const std::function<Task<void>()>& make) override;
  Task<void> yield() override;
  Task<bool> readable(int descriptor, milliseconds patience) override;
  Task<void> offload(std::function<void()> work) override;
  std::unique_ptr<Background> background(const char* name, Background::Step step) override;

  // Runs the task and blocks: the world goes on where the thread's own stack calls, else the calling fiber waits. What
  // the task throws is rethrown; std::runtime_error if the process ends before it.
  void run_blocking(Task<void> task);
  // As EventLoops::stop().
  void stop() { scheduler_.stop(process_); }

 private:
  Scheduler& scheduler_;
  Process& process_;
  VirtualClock& clock_;
};

}  // namespace infra::sim
