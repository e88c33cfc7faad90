// Advice on a function's memory from its execution log, and following it.
#pragma once

#include <vector>

#include "app/deploy_function.h"
#include "core/memory_advice.h"
#include "ports/clock.h"
#include "ports/function_store.h"
#include "ports/log_store.h"

namespace infra::app {

struct FunctionAdvice {
  FunctionId function_id;
  WallTime since;  // runs accepted before it were not looked at
  MemoryAdvice advice;
};

class AdviseMemory {
 public:
  AdviseMemory(FunctionStore& functions, LogStore& logs, DeployFunction& deploy, const Clock& clock)
      : functions_(functions), logs_(logs), deploy_(deploy), clock_(clock) {}

  // From the last rows, 1,000 at most, of the last seven days: those runs that had the function's present code and
  // memory. `not_found`.
  Task<Result<FunctionAdvice>> advise(FunctionId id);

  // Gives the function the memory that advise() recommends, and says how much that is. `conflict` (code
  // nothing_to_apply) if that is what it has, or unknown, `not_found`.
  Task<Result<int>> apply(FunctionId id);

 private:
  Task<Result<std::vector<RunSample>>> recent_runs(FunctionId id, int memory_mb, WallTime since);

  FunctionStore& functions_;
  LogStore& logs_;
  DeployFunction& deploy_;
  const Clock& clock_;
};

}  // namespace infra::app
