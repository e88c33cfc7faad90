// A world on one thread: its time, its order of things, and whoever looks at its programs from outside.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "platform/scheduler.h"
#include "platform/virtual_clock.h"
#include "platform/virtual_executor.h"

namespace infra::sim {

class VirtualWorld {
 public:
  explicit VirtualWorld(std::uint64_t seed) : scheduler_(seed) {}

  [[nodiscard]] Scheduler& scheduler() { return scheduler_; }
  [[nodiscard]] Dice& dice() { return scheduler_.dice(); }
  // Of clients and of the test: its clocks are the world's.
  [[nodiscard]] Process& outside() { return outside_; }
  [[nodiscard]] VirtualClock& clock() { return clock_; }
  [[nodiscard]] VirtualExecutor& executor() { return executor_; }

  // Runs a task of the outside's to its end, while the world goes on.
  void run(Task<void> task) { executor_.run_blocking(std::move(task)); }
  // Lets time pass.
  void pass(WorldTime time) {
    scheduler_.run_until([end = scheduler_.now() + time, this] { return scheduler_.now() >= end; }, time);
  }
  // Throws std::runtime_error with what waits, where it does not come within `within`.
  void run_until(const std::function<bool()>& done, WorldTime within = std::chrono::hours(1)) {
    switch (scheduler_.run_until(done, within)) {
      case Scheduler::Ran::done:
        return;
      case Scheduler::Ran::late:
        throw std::runtime_error("the time is over:\n" + scheduler_.waiting());
      case Scheduler::Ran::stuck:
        throw std::runtime_error("nothing goes on:\n" + scheduler_.waiting());
      case Scheduler::Ran::busy:
        throw std::runtime_error("it goes on and on:\n" + scheduler_.waiting());
    }
  }

 private:
  Scheduler scheduler_;
  Process& outside_ = scheduler_.start_process("outside");
  MachineTime time_;
  VirtualClock clock_{scheduler_, outside_, time_};
  VirtualExecutor executor_{scheduler_, outside_, clock_};
};

}  // namespace infra::sim
