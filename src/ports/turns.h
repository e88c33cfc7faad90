// Whose job a queue hands out next: the worker that takes the jobs says so, because it knows its slots and who runs in
// them. A queue that knows all that waits tells of it and asks whose turn it is; one that is handed jobs in an order
// of another's asks for each.
#pragma once

#include <cstddef>
#include <optional>

#include "core/fair_lines.h"
#include "core/ids.h"
#include "core/job.h"

namespace infra {

// Any thread, and under a queue's own lock: it calls no queue.
class Turns {
 public:
  virtual ~Turns() = default;

  // One more job of the function waits in the queue, or `count` fewer do without having been handed out.
  virtual void join(const FunctionId& function, RunMode mode) = 0;
  virtual void withdraw(const FunctionId& function, RunMode mode, std::size_t count) = 0;
  // Whether next() would give a turn.
  [[nodiscard]] virtual bool any() = 0;
  [[nodiscard]] virtual std::size_t free_for_all() = 0;  // slots that any function may have now
  // Takes a slot for the function whose turn it is. The queue hands out its oldest job; in a turn for a client only,
  // the oldest that a client waits for.
  [[nodiscard]] virtual std::optional<FairLines::Turn> next() = 0;
  virtual void note_client(const FunctionId& function) = 0;  // a client waits for what went in a turn for anybody

  // Takes a slot for a job that was not told of. False if there is none for it now.
  [[nodiscard]] virtual bool claim(const FunctionId& function, RunMode mode) = 0;

  // A slot that was taken is not used after all.
  virtual void drop(const FunctionId& function) = 0;
};

}  // namespace infra
