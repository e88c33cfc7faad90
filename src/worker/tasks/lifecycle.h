// A worker's way to its end: the phase that it is in, and waiting that a change of it cuts short.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/task.h"
#include "core/time.h"
#include "ports/clock.h"
#include "worker/tasks/condition.h"

namespace infra::worker {

enum class Phase : std::uint8_t {
  running,
  draining,  // takes no async jobs any more
  stopping,  // runs nothing any more
};

// Any thread. The phase only goes on, never back.
class Lifecycle {
 public:
  explicit Lifecycle(Clock& clock) : clock_(clock), changed_(clock) {}

  [[nodiscard]] Phase phase() const { return phase_; }

  // False if it has begun before. Who waits is told by notify_all(), which comes when all is ready for the new phase.
  [[nodiscard]] bool begin_draining();
  void begin_stopping() { phase_ = Phase::stopping; }
  void notify_all() { changed_.notify_all(); }

  // Waits for `time`, but no longer than the phase is `latest` or an earlier one: false if it is past that.
  Task<bool> wait_within(Phase latest, milliseconds time);

 private:
  Clock& clock_;
  std::atomic<Phase> phase_ = Phase::running;
  Condition changed_;
};

}  // namespace infra::worker
