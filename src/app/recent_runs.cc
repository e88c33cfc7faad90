#include "app/recent_runs.h"

#include <utility>

namespace infra::app {
namespace {

constexpr std::size_t kMaxRuns = 100;

}  // namespace

void RecentRuns::advise(const Job& job, JobResult& result) const {
  const auto sample = sample_of(result);
  if (!sample) return;
  std::vector<RunSample> samples;
  samples.reserve(kMaxRuns + 1);
  {
    const std::scoped_lock lock(mutex_);
    const auto found = by_function_.find(job.function_id);
    if (found != by_function_.end() && found->second->are_of(job)) samples = found->second->samples;
  }
  samples.push_back(*sample);
  auto advice = advise_memory(samples, job.memory_mb);
  if (!advice.recommended_memory_mb) return;
  result.optimization_tip = std::move(advice.optimization_tip);
  result.recommended_memory_mb = advice.recommended_memory_mb;
  result.estimated_savings = std::move(advice.estimated_savings);
}

void RecentRuns::note(const Job& job, const JobResult& result) {
  const auto sample = sample_of(result);
  if (!sample) return;
  const std::scoped_lock lock(mutex_);
  const auto found = by_function_.find(job.function_id);
  if (found != by_function_.end()) {
    by_use_.splice(by_use_.begin(), by_use_, found->second);
  } else {
    by_use_.push_front({.function = job.function_id, .code_key = {}, .memory_mb = 0, .samples = {}, .oldest = 0});
    by_function_[job.function_id] = by_use_.begin();
  }
  Runs& runs = by_use_.front();
  if (!runs.are_of(job)) {
    runs.code_key = job.code.key;
    runs.memory_mb = job.memory_mb;
    runs.samples.clear();
    runs.oldest = 0;
  }
  if (runs.samples.size() < kMaxRuns) {
    runs.samples.push_back(*sample);
  } else {
    runs.samples[runs.oldest] = *sample;
    runs.oldest = (runs.oldest + 1) % kMaxRuns;
  }
  if (by_use_.size() > max_functions_) {
    by_function_.erase(by_use_.back().function);
    by_use_.pop_back();
  }
}

}  // namespace infra::app
