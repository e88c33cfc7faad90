// The limiter of runs at once for one program: who is outstanding and who runs, by function, each with an end of its
// own.
#pragma once

#include <unordered_map>

#include "core/holding.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/concurrency_limiter.h"

namespace infra {

class MemoryConcurrencyLimiter final : public ConcurrencyLimiter {
 public:
  explicit MemoryConcurrencyLimiter(const Clock& clock) : clock_(clock) {}

  Task<Result<bool>> admit(const LimitedRun& run, int most) override;
  Task<Result<bool>> enter(const LimitedRun& run, int most) override;
  Task<Result<void>> renew(const LimitedRun& run, bool running) override;
  Task<Result<void>> leave(const LimitedRun& run) override;
  Task<Result<void>> withdraw(const LimitedRun& run) override;
  Task<Result<void>> finish(const LimitedRun& run) override;
  void list_holdings(Holdings& into) const;  // any thread

 private:
  using Ends = std::unordered_map<RequestId, SteadyTime>;
  struct Runs {
    Ends outstanding;
    Ends running;
  };

  [[nodiscard]] bool count(Ends Runs::* among, const LimitedRun& run, int most, SteadyTime::duration time)
      INFRA_REQUIRES(mutex_);
  void forget(const LimitedRun& run, bool outstanding_too);

  const Clock& clock_;
  mutable Mutex mutex_;
  std::unordered_map<FunctionId, Runs> functions_ INFRA_GUARDED_BY(mutex_);  // those that have runs
};

}  // namespace infra
