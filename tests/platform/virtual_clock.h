// The Clock port on a world's time, as one machine's clocks tell it: set wrong, running fast or slow, set anew.
#pragma once

#include <memory>
#include <optional>

#include "platform/scheduler.h"
#include "ports/clock.h"

namespace infra::sim {

// A machine's two clocks. They go on when its programs end.
class MachineTime {
 public:
  // How much faster than the world's its clocks run, in millionths, from here on.
  void set_drift(WorldTime now, double millionths);
  // The wall clock alone: by an operator or a time server.
  void set_wall_off(milliseconds by) { wall_offset_ = by; }

  [[nodiscard]] SteadyTime steady(WorldTime now) const;
  [[nodiscard]] WallTime wall(WorldTime now) const;
  // When it will be that late; nothing for "never".
  [[nodiscard]] std::optional<WorldTime> when(SteadyTime deadline) const;

 private:
  WorldTime since_{0};
  std::chrono::nanoseconds steady_since_{std::chrono::hours(1)};  // what it showed then
  double rate_ = 1;
  milliseconds wall_offset_{0};
};

class VirtualClock final : public Clock {
 public:
  // All must outlive it.
  VirtualClock(Scheduler& scheduler, Process& process, MachineTime& time)
      : scheduler_(scheduler), process_(process), time_(time) {}

  [[nodiscard]] WallTime now() const override { return time_.wall(scheduler_.now()); }
  // A process that has ended sees the end of time.
  [[nodiscard]] SteadyTime steady_now() const override;
  Task<void> sleep_until(SteadyTime deadline) override;
  [[nodiscard]] std::shared_ptr<Signal> make_signal() override;
  int poll(std::span<pollfd> descriptors, SteadyTime deadline) override;
  void pause_until(SteadyTime deadline) override;

  [[nodiscard]] std::optional<WorldTime> when(SteadyTime deadline) const { return time_.when(deadline); }

 private:
  Scheduler& scheduler_;
  Process& process_;
  MachineTime& time_;
};

}  // namespace infra::sim
