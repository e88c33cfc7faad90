// How many runs of a function may go on at once over the whole platform, and how many may be outstanding, those that
// wait included. Only functions with a limit are counted. Engines: in process; Redis with one Lua script.
#pragma once

#include <chrono>

#include "core/error.h"
#include "core/ids.h"
#include "core/task.h"

namespace infra {

// Which run is meant. However often its job is handed out, it counts once.
struct LimitedRun {
  FunctionId function;
  RequestId request;
};

// Every method may be called from any event thread, and fails with `unavailable` when the engine does not answer. An
// entry without renewal is forgotten by itself: its holder has died.
class ConcurrencyLimiter {
 public:
  // How long a run counts as outstanding. It is as long as a client waits, since queued runs are not renewed.
  static constexpr std::chrono::seconds kOutstandingFor{300};

  virtual ~ConcurrencyLimiter() = default;

  // Counts the run as outstanding. False, and not counted, if `most` others are.
  virtual Task<Result<bool>> admit(const LimitedRun& run, int most) = 0;

  // Outstanding no more, because it could not be handed out. It may have been all the same, and a worker that runs it
  // has its place.
  virtual Task<Result<void>> withdraw(const LimitedRun& run) = 0;

  // Counts the run as running, for limits::kVisibility. False, and not counted, if `most` others are.
  virtual Task<Result<bool>> enter(const LimitedRun& run, int most) = 0;

  // Outstanding, and running too if `running`, for their whole time from now, whatever the limit: also where the engine
  // has lost its memory.
  virtual Task<Result<void>> renew(const LimitedRun& run, bool running) = 0;

  // Running no more, but still outstanding.
  virtual Task<Result<void>> leave(const LimitedRun& run) = 0;

  // Neither running nor outstanding.
  virtual Task<Result<void>> finish(const LimitedRun& run) = 0;
};

}  // namespace infra
