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

std::vector<RunSample> RecentRuns::samples_for(const Job& job) {
  const Runs* const kept = by_function_.peek(job.function_id);
  return kept != nullptr && kept->are_of(job) ? kept->samples() : std::vector<RunSample>();
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
  Runs& kept = by_function_.use_or_make(job.function_id, [] { return Runs{}; });
  if (!kept.are_of(job)) {
    kept.code_key = job.code.key;
    kept.memory_mb = job.memory_mb;
    kept.runs.clear();
    kept.oldest = 0;
  }
  kept.note(run);
}

}  // namespace infra::app
