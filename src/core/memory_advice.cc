#include "core/memory_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/error_codes.h"
#include "core/limits.h"

namespace infra {
namespace {

constexpr int kLeastRuns = 10;
constexpr int kSomeRuns = 30;
constexpr int kManyRuns = 100;

// What is recommended is the largest peak and a quarter: then the peak is at 80 % of it, below what counts as tight, so
// that advice that was followed is not taken back by the next.
constexpr double kHeadroom = 1.25;
constexpr double kTight = 0.85;
// The largest peak of the next runs is another by some per cent: where that is beside a step, a step is not worth
// taking.
constexpr double kSpread = 1.05;
constexpr double kWorthLowering = 0.9;  // of what it has; less of a change is not worth a restart of its instances
constexpr int kStepMb = 32;

// A run's shorter bursts are over before its share of the CPUs matters.
constexpr double kLongComputingUs = 100'000;
constexpr double kComputing = 0.8;  // of the handler's time, on one CPU
constexpr double kNoneToSpare = 0.9;

constexpr double kBytesPerMb = 1024.0 * 1024.0;

std::optional<RunSample> make_sample(const std::optional<RunProfile>& profile, std::optional<double> handler_ms,
                                     std::string_view error_code) {
  const bool out_of_memory = error_code == errors::out_of_memory;
  if (!profile && !out_of_memory) return std::nullopt;
  return RunSample{.profile = profile.value_or(RunProfile{}), .handler_ms = handler_ms, .out_of_memory = out_of_memory};
}

std::int64_t nearest_rank(const std::vector<std::int64_t>& sorted, int percent) {
  const auto rank = (sorted.size() * static_cast<std::size_t>(percent) + 99) / 100;
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

std::optional<PeakMemory> peaks_of(std::span<const RunSample> runs) {
  std::vector<std::int64_t> sorted;
  sorted.reserve(runs.size());
  PeakMemory peaks;
  for (const auto& run : runs) {
    const auto peak = run.profile.peak_memory_bytes;
    if (peak <= 0) continue;
    sorted.push_back(peak);
    auto& most = run.profile.cold_start ? peaks.cold_max : peaks.warm_max;
    most = std::max(most, peak);
  }
  if (sorted.empty()) return std::nullopt;
  std::ranges::sort(sorted);
  peaks.p50 = nearest_rank(sorted, 50);
  peaks.p95 = nearest_rank(sorted, 95);
  peaks.max = sorted.back();
  return peaks;
}

struct Computing {
  double cpus = 0;
  double us_a_run = 0;
};

// Of warm runs: a cold start's CPU time is the interpreter's and the imports', too.
std::optional<Computing> computing_of(std::span<const RunSample> runs) {
  double cpu_us = 0;
  double handler_us = 0;
  double count = 0;
  for (const auto& run : runs) {
    if (run.profile.cold_start || !run.handler_ms) continue;
    cpu_us += static_cast<double>(run.profile.cpu_usage_us);
    handler_us += *run.handler_ms * 1000;
    ++count;
  }
  if (handler_us <= 0) return std::nullopt;
  return Computing{.cpus = cpu_us / handler_us, .us_a_run = cpu_us / count};
}

Confidence confidence_of(const MemoryAdvice& advice) {
  if (advice.runs < kLeastRuns) return advice.out_of_memory > 0 ? Confidence::low : Confidence::none;
  if (advice.runs < kSomeRuns) return Confidence::low;
  return advice.runs >= kManyRuns && advice.cold_starts > 0 ? Confidence::high : Confidence::medium;
}

int round_up(double mb) {
  const int steps = static_cast<int>(std::ceil(mb / kStepMb));
  return std::clamp(steps * kStepMb, limits::kMinMemoryMb, limits::kMaxMemoryMb);
}

std::string megabytes(std::int64_t bytes) {
  return fmt::format("{:.1f}", static_cast<double>(bytes) / kBytesPerMb);
}

void recommend(MemoryAdvice& advice, Verdict verdict, int memory_mb) {
  advice.verdict = verdict;
  advice.recommended_memory_mb = memory_mb;
}

void keep(MemoryAdvice& advice) {
  recommend(advice, Verdict::keep, std::max(advice.allocated_mb, limits::kMinMemoryMb));
}

// The kernel ended a run that needed more, and how much more is unknown.
void advise_on_out_of_memory(MemoryAdvice& advice) {
  const std::string what =
      fmt::format("{} of {} runs ran out of their {} MB", advice.out_of_memory, advice.runs, advice.allocated_mb);
  if (advice.allocated_mb >= limits::kMaxMemoryMb) {
    keep(advice);
    advice.optimization_tip = what + ", which is the most that a function can have: it has to do with less.";
    return;
  }
  recommend(advice, Verdict::raise, round_up(2.0 * advice.allocated_mb));
  advice.optimization_tip = fmt::format("{}; give it {} MB.", what, *advice.recommended_memory_mb);
}

void advise_to_raise(MemoryAdvice& advice, int wanted_mb) {
  const std::string what =
      fmt::format("A run needed {} of its {} MB", megabytes(advice.peaks->max), advice.allocated_mb);
  if (wanted_mb <= advice.allocated_mb) {
    keep(advice);
    advice.optimization_tip = what + ", which is the most that a function can have.";
    return;
  }
  recommend(advice, Verdict::raise, wanted_mb);
  advice.optimization_tip = fmt::format("{}; {} MB leave room for a larger one.", what, wanted_mb);
}

void advise_to_lower(MemoryAdvice& advice, int wanted_mb) {
  recommend(advice, Verdict::lower, wanted_mb);
  const double kept = static_cast<double>(wanted_mb) / advice.allocated_mb;
  advice.estimated_savings = fmt::format("{:.0f}%", (1 - kept) * 100);
  advice.optimization_tip = fmt::format("The largest of {} runs needed {} of its {} MB; {} MB are enough.", advice.runs,
                                        megabytes(advice.peaks->max), advice.allocated_mb, wanted_mb);
}

void advise_to_keep(MemoryAdvice& advice, int enough_mb) {
  keep(advice);
  advice.optimization_tip = fmt::format("The largest of {} runs needed {} of its {} MB", advice.runs,
                                        megabytes(advice.peaks->max), advice.allocated_mb);
  if (enough_mb < kWorthLowering * advice.allocated_mb) {
    advice.optimization_tip +=
        fmt::format(": {} MB would hold it, but with less memory it would get less CPU.", enough_mb);
  } else if (advice.allocated_mb == limits::kMinMemoryMb) {
    advice.optimization_tip += ", the least that a function can have.";
  } else {
    advice.optimization_tip += ", which is about right.";
  }
}

// What keeps a function that computes for long as fast on a busy machine as it is; 0 for any other.
int needed_for_cpu(const std::optional<Computing>& computing, int allocated_mb) {
  if (!computing || computing->cpus < kComputing || computing->us_a_run < kLongComputingUs) return 0;
  return std::min(allocated_mb, round_up(computing->cpus * limits::kMemoryPerCpuMb));
}

void advise_on_size(MemoryAdvice& advice, int cpu_needs_mb) {
  const double peak_mb = static_cast<double>(advice.peaks->max) / kBytesPerMb;
  const int enough_mb = round_up(peak_mb * kHeadroom);
  if (peak_mb > kTight * advice.allocated_mb) return advise_to_raise(advice, enough_mb);
  if (advice.runs < kLeastRuns) {
    advice.optimization_tip =
        fmt::format("{} of its runs with {} MB {} measured; a recommendation needs {}.", advice.runs,
                    advice.allocated_mb, advice.runs == 1 ? "was" : "were", kLeastRuns);
    return;
  }
  const int surely_enough_mb = round_up(peak_mb * kSpread * kHeadroom);
  if (std::max(surely_enough_mb, cpu_needs_mb) <= kWorthLowering * advice.allocated_mb)
    return advise_to_lower(advice, std::max(enough_mb, cpu_needs_mb));
  advise_to_keep(advice, surely_enough_mb);
}

}  // namespace

std::optional<RunSample> sample_of(const LogRow& row) {
  return make_sample(row.profile, row.handler_ms, row.error_code);
}

std::optional<RunSample> sample_of(const JobResult& result) {
  return make_sample(profile_of(result), result.handler_ms, result.error_code);
}

std::string_view to_string(Verdict verdict) {
  static constexpr std::array<std::string_view, 4> kNames = {"unknown", "keep", "lower", "raise"};
  return kNames[static_cast<std::size_t>(verdict)];
}

std::string_view to_string(Confidence confidence) {
  static constexpr std::array<std::string_view, 4> kNames = {"none", "low", "medium", "high"};
  return kNames[static_cast<std::size_t>(confidence)];
}

MemoryAdvice advise_memory(std::span<const RunSample> runs, int allocated_mb) {
  MemoryAdvice advice;
  advice.allocated_mb = allocated_mb;
  advice.runs = static_cast<int>(runs.size());
  for (const auto& run : runs) {
    advice.cold_starts += run.profile.cold_start ? 1 : 0;
    advice.out_of_memory += run.out_of_memory ? 1 : 0;
  }
  advice.peaks = peaks_of(runs);
  advice.cpu_share = static_cast<double>(allocated_mb) / limits::kMemoryPerCpuMb;
  advice.confidence = confidence_of(advice);
  const auto computing = computing_of(runs);
  const int cpu_needs_mb = needed_for_cpu(computing, allocated_mb);
  if (computing) advice.cpu_used = computing->cpus;
  advice.cpu_bound = cpu_needs_mb >= kNoneToSpare * allocated_mb;

  if (advice.out_of_memory > 0) {
    advise_on_out_of_memory(advice);
  } else if (advice.peaks) {
    advise_on_size(advice, cpu_needs_mb);
  } else {
    advice.optimization_tip =
        fmt::format("None of its runs with {} MB was measured; a recommendation needs {}.", allocated_mb, kLeastRuns);
  }
  if (advice.cpu_bound && advice.verdict != Verdict::unknown) {
    advice.optimization_tip += fmt::format(
        " It computes nearly all its time: the more memory, the larger its share of a busy machine's CPUs ({} MB are "
        "one).",
        limits::kMemoryPerCpuMb);
  }
  return advice;
}

}  // namespace infra
