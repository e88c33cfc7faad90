// When the parts of a job's way through this worker were over.
#pragma once

#include <chrono>

#include "core/time.h"

namespace infra::worker {

struct RunTimes {
  WallTime settled{};                     // the end of all
  std::chrono::nanoseconds settlement{};  // before that; before this was the run, which took JobResult::duration_ms
};

}  // namespace infra::worker
