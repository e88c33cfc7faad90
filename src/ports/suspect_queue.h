// The jobs that may have taken a program down, and on one machine those of the same versions: for one slot beside all
// others.
#pragma once

#include <optional>

#include "core/error.h"
#include "core/task.h"
#include "ports/job_queue.h"

namespace infra {

// A part of a worker's queue, whose receive() gives none of these. Any thread; one receiver.
class SuspectQueue {
 public:
  virtual ~SuspectQueue() = default;
  // False: there never will be any. On one machine there are only ever fewer, because who begins to be suspected does
  // so while the program starts; in a fleet another worker's may come at any time.
  [[nodiscard]] virtual bool has_suspects() const = 0;
  // The slot is open. A suspect that is received by a program sooner, or by one whose slot never opens, is left to
  // others.
  virtual void begin_suspects() {}
  // The oldest; waits for it. Who asks is done with the one before. Nullopt once there will be none any more, or the
  // program stops; fails with `unavailable` when an engine does not answer. The delivery is the queue's own: its
  // receipt is acknowledged, given back or buried there.
  virtual Task<Result<std::optional<Delivery>>> receive_suspect() = 0;
  // The worker stops: what waits for the slot in this program alone is given back, and nothing waits from now on.
  virtual Task<void> end_suspects() { co_return; }
};

}  // namespace infra
