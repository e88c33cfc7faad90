// The jobs that may have taken the program down, and those of the same versions: for one slot beside all others.
#pragma once

#include <optional>

#include "core/error.h"
#include "core/task.h"
#include "ports/job_queue.h"

namespace infra {

// A part of a queue on one machine, whose receive() gives none of these. Any thread.
class SuspectQueue {
 public:
  virtual ~SuspectQueue() = default;
  // There are only ever fewer: who begins to be suspected does so while the program starts.
  [[nodiscard]] virtual bool has_suspects() const = 0;
  // The oldest; waits for it. Nullopt once there is none any more, or the program stops. The delivery is the queue's
  // own: its receipt is acknowledged, given back or buried there.
  virtual Task<Result<std::optional<Delivery>>> receive_suspect() = 0;
};

}  // namespace infra
