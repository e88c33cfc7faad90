// The Background port: each step is a fiber, which begins when the dice say so.
#pragma once

#include <memory>

#include "platform/virtual_clock.h"
#include "ports/background.h"

namespace infra::sim {

class VirtualBackground final : public Background {
 public:
  VirtualBackground(Scheduler& scheduler, Process& process, VirtualClock& clock, const char* name, Step step);
  ~VirtualBackground() override;
  VirtualBackground(const VirtualBackground&) = delete;
  VirtualBackground& operator=(const VirtualBackground&) = delete;

  void wake() override;
  // Where no step runs, they run on the calling thread. Returns at once if the process has ended, which writes no more.
  void run_until(const std::function<bool()>& done) override;

 private:
  struct State;
  static void begin(const std::shared_ptr<State>& state);
  static void step(const std::shared_ptr<State>& state);
  static void plan(const std::shared_ptr<State>& state);
  const std::shared_ptr<State> state_;
};

}  // namespace infra::sim
