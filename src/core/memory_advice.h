// Advice on a function's memory from its recent runs: how much they needed, how much it should have, and why, in words.
// Pure computing; app/advise_memory.h reads the runs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/job_result.h"

namespace infra {

// One run, as far as the advice looks at it.
struct RunSample {
  RunProfile profile;
  std::optional<double> handler_ms;
  bool out_of_memory = false;
};

// Nullopt for a run that says nothing of memory: it did not get to run, or was not measured.
[[nodiscard]] std::optional<RunSample> sample_of(const LogRow& row);
[[nodiscard]] std::optional<RunSample> sample_of(const JobResult& result);

enum class Verdict : std::uint8_t { unknown, keep, lower, raise };
[[nodiscard]] std::string_view to_string(Verdict verdict);  // "unknown" …

// By how many runs there are. High also needs a cold start among them, which may take more memory than all others.
enum class Confidence : std::uint8_t { none, low, medium, high };
[[nodiscard]] std::string_view to_string(Confidence confidence);  // "none" …

// Bytes; a percentile is a value that was measured (nearest rank).
struct PeakMemory {
  std::int64_t p50 = 0;
  std::int64_t p95 = 0;
  std::int64_t max = 0;
  std::int64_t cold_max = 0;  // 0 without cold starts
  std::int64_t warm_max = 0;  // 0 without warm runs
};

struct MemoryAdvice {
  int allocated_mb = 0;
  int runs = 0;  // cold starts and those out of memory included
  int cold_starts = 0;
  int out_of_memory = 0;
  std::optional<PeakMemory> peaks;  // none without runs
  std::optional<double> cpu_used;   // CPUs, while the handler ran warm; none if that was never measured
  double cpu_share = 0;             // CPUs that `allocated_mb` is sure of on a busy machine
  bool cpu_bound = false;           // it computes most of its time, for long, and has no CPU to spare
  Verdict verdict = Verdict::unknown;
  Confidence confidence = Confidence::none;
  std::optional<int> recommended_memory_mb;  // what it should have, which may be what it has; none if unknown
  std::string estimated_savings;             // of memory-time, "68%"; empty unless it is to be lowered
  std::string optimization_tip;              // a sentence or two, always

  [[nodiscard]] bool is_change() const { return verdict == Verdict::lower || verdict == Verdict::raise; }
};

// `runs` are of one version of the code, with `allocated_mb` each.
[[nodiscard]] MemoryAdvice advise_memory(std::span<const RunSample> runs, int allocated_mb);

}  // namespace infra
