#include "adapters/memory/memory_concurrency_limiter.h"

#include <utility>

#include "adapters/memory/late_look.h"
#include "core/limits.h"

namespace infra {

Task<Result<bool>> MemoryConcurrencyLimiter::admit(const LimitedRun& run, int most) {
  const MutexLock lock(mutex_);
  co_return count(&Runs::outstanding, run, most, kOutstandingFor);
}

Task<Result<bool>> MemoryConcurrencyLimiter::enter(const LimitedRun& run, int most) {
  const MutexLock lock(mutex_);
  co_return count(&Runs::running, run, most, limits::kVisibility);
}

Task<Result<void>> MemoryConcurrencyLimiter::renew(const LimitedRun& run, bool running) {
  const MutexLock lock(mutex_);
  const SteadyTime now = clock_.steady_now();
  Runs& runs = functions_[run.function];
  runs.outstanding[run.request] = now + kOutstandingFor;
  if (running) runs.running[run.request] = now + limits::kVisibility;
  co_return Result<void>{};
}

Task<Result<void>> MemoryConcurrencyLimiter::leave(const LimitedRun& run) {
  forget(run, false);
  co_return Result<void>{};
}

Task<Result<void>> MemoryConcurrencyLimiter::withdraw(const LimitedRun& run) {
  const MutexLock lock(mutex_);
  const auto found = functions_.find(run.function);
  if (found == functions_.end()) co_return Result<void>{};
  found->second.outstanding.erase(run.request);
  if (found->second.running.empty() && found->second.outstanding.empty()) functions_.erase(found);
  co_return Result<void>{};
}

Task<Result<void>> MemoryConcurrencyLimiter::finish(const LimitedRun& run) {
  forget(run, true);
  co_return Result<void>{};
}

// Dead entries are looked for only where they would refuse a run.
bool MemoryConcurrencyLimiter::count(Ends Runs::* among, const LimitedRun& run, int most, SteadyTime::duration time) {
  const SteadyTime now = clock_.steady_now();
  Ends& ends = functions_[run.function].*among;
  const bool counted = ends.contains(run.request);
  if (!counted && std::cmp_greater_equal(ends.size(), most)) {
    // Who runs renews its place, who only waits does not.
    const bool renewed = among == &Runs::running;
    std::erase_if(ends,
                  [&](const auto& entry) { return renewed ? has_run_out(entry.second, now) : entry.second <= now; });
    for (auto& [request, end] : ends) {
      if (end <= now) end = new_end(now);
    }
    if (std::cmp_greater_equal(ends.size(), most)) return false;
  }
  ends[run.request] = now + time;
  return true;
}

void MemoryConcurrencyLimiter::list_holdings(Holdings& into) const {
  const MutexLock lock(mutex_);
  std::uint64_t running = 0, outstanding = 0;
  for (const auto& [function, runs] : functions_) {
    running += runs.running.size();
    outstanding += runs.outstanding.size();
  }
  into.push_back({"permits", running});
  into.push_back({.what = "runs that count for their function's limit", .held = outstanding, .of_waiting = true});
}

void MemoryConcurrencyLimiter::forget(const LimitedRun& run, bool outstanding_too) {
  const MutexLock lock(mutex_);
  const auto found = functions_.find(run.function);
  if (found == functions_.end()) return;
  Runs& runs = found->second;
  runs.running.erase(run.request);
  if (outstanding_too) runs.outstanding.erase(run.request);
  if (runs.running.empty() && runs.outstanding.empty()) functions_.erase(found);
}

}  // namespace infra
