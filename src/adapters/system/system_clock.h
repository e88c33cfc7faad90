// The Clock port on the machine's own clocks and the event threads' timers.
#pragma once

#include <memory>

#include "ports/clock.h"

namespace infra {

class SystemClock : public Clock {
 public:
  [[nodiscard]] WallTime now() const override;
  [[nodiscard]] SteadyTime steady_now() const override;
  Task<void> sleep_until(SteadyTime deadline) override;
  [[nodiscard]] std::shared_ptr<Signal> make_signal() override;
  int poll(std::span<pollfd> descriptors, SteadyTime deadline) override;
  void pause_until(SteadyTime deadline) override;
};

}  // namespace infra
