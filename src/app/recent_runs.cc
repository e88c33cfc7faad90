#include "app/recent_runs.h"

#include <algorithm>
#include <utility>

namespace infra::app {
namespace {

constexpr std::size_t kMaxRuns = 100;

}  // namespace

void RecentRuns::take_in(const Job& job, JobResult& result) {
  std::vector<RunSample> samples;
  {
    const MutexLock lock(mutex_);
    if (const auto sample = sample_of(result)) note(job, {std::hash<RequestId>{}(job.request_id), *sample});
    samples = samples_for(job);
  }
  auto advice = advise_memory(samples, job.memory_mb);
  result.recommended_memory_mb = advice.recommended_memory_mb;
  if (!advice.is_change()) return;
  result.optimization_tip = std::move(advice.optimization_tip);
  result.estimated_savings = std::move(advice.estimated_savings);
}

std::vector<RunSample> RecentRuns::samples_for(const Job& job) const {
  const auto found = by_function_.find(job.function_id);
  if (found == by_function_.end() || !found->second->are_of(job)) return {};
  return found->second->samples();
}

std::vector<RunSample> RecentRuns::Runs::samples() const {
  std::vector<RunSample> samples;
  samples.reserve(runs.size());
  for (const auto& run : runs) samples.push_back(run.sample);
  return samples;
}

void RecentRuns::Runs::note(const Run& run) {
  if (std::ranges::find(runs, run.id, &Run::id) != runs.end()) return;
  if (runs.size() < kMaxRuns) {
    runs.push_back(run);
  } else {
    runs[oldest] = run;
    oldest = (oldest + 1) % kMaxRuns;
  }
}

void RecentRuns::note(const Job& job, const Run& run) {
  const auto found = by_function_.find(job.function_id);
  if (found != by_function_.end()) {
    by_use_.splice(by_use_.begin(), by_use_, found->second);
  } else {
    by_use_.push_front({.function = job.function_id, .code_key = {}, .memory_mb = 0, .runs = {}, .oldest = 0});
    by_function_[job.function_id] = by_use_.begin();
  }
  Runs& kept = by_use_.front();
  if (!kept.are_of(job)) {
    kept.code_key = job.code.key;
    kept.memory_mb = job.memory_mb;
    kept.runs.clear();
    kept.oldest = 0;
  }
  kept.note(run);
  if (by_use_.size() > max_functions_) {
    by_function_.erase(by_use_.back().function);
    by_use_.pop_back();
  }
}

}  // namespace infra::app
