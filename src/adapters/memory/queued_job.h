// A job's place in the line of one machine's queue.
#pragma once

#include <cstdint>
#include <memory>

#include "core/job.h"

namespace infra {

// Of a version of a function: how many of its unsettled jobs were handed out when the program died.
struct Suspicion {
  int suspects = 0;
};

struct QueuedJob {
  std::int64_t seq = 0;  // its place: lower is older
  int receives = 0;      // hand-overs that count
  std::uint64_t bytes = 0;
  std::shared_ptr<const Job> job = nullptr;              // null for a durable one: its row holds it
  std::shared_ptr<const FunctionId> function = nullptr;  // one for all of its line: a million may wait
  int strikes = 0;                                       // crashes of the program that it was handed out at
  bool start_recorded = false;                     // of a durable one: the row of its start says that it is handed out
  std::shared_ptr<Suspicion> suspicion = nullptr;  // of its version; mostly null
};

struct HandOver {
  QueuedJob queued;
  std::string receipt;
  bool in_turn = false;  // a slot was taken for it; suspects have one of their own
};

}  // namespace infra
