// A clock that stands still until the test moves it, so that leases and expiry are tested without waiting for them.
#pragma once

#include <memory>

#include "ports/clock.h"
#include "support/real_waits.h"

namespace infra {

class ManualClock final : public Clock {
 public:
  struct Core;  // shared with its signals

  ManualClock();
  ~ManualClock() override;

  [[nodiscard]] WallTime now() const override;
  [[nodiscard]] SteadyTime steady_now() const override;
  Task<void> sleep_until(SteadyTime deadline) override;
  [[nodiscard]] std::shared_ptr<Signal> make_signal() override;
  int poll(std::span<pollfd> descriptors, SteadyTime deadline) override {
    return poll_really(*this, descriptors, deadline);
  }
  void pause_until(SteadyTime deadline) override { pause_really(*this, deadline); }

  // Moves time forward and wakes everybody whose deadline it passes.
  void advance(milliseconds step);
  // Blocks the calling (non-event) thread until `count` coroutines wait for a deadline that is not "never".
  void await_sleepers(std::size_t count);

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace infra
