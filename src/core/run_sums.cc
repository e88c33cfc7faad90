#include "core/run_sums.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace infra {
namespace {

constexpr double kBucketsAnOctave = 4;
constexpr int kFirstBucket = -40;  // 1 µs
constexpr int kLastBucket = 120;   // 18 minutes

int bucket_of(double ms) {
  if (!(ms > 0)) return kFirstBucket;
  return std::clamp(static_cast<int>(std::ceil(std::log2(ms) * kBucketsAnOctave)), kFirstBucket, kLastBucket);
}

// Takes a number and what is behind it, `end` or nothing at the text's end, off the text.
template <typename Number>
bool take(std::string_view& text, char end, Number& number) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  if (text.empty()) return true;
  if (text.front() != end) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

void RunSums::add(const LogRow& row) {
  ++runs;
  if (row.status != RunStatus::success) ++errors;
  total_ms += row.duration_ms;
  max_ms = std::max(max_ms, row.duration_ms);
  ++durations[bucket_of(row.duration_ms)];
  if (!row.profile) return;
  if (row.profile->cold_start) ++cold_starts;
  peak_memory_bytes = std::max(peak_memory_bytes, row.profile->peak_memory_bytes);
}

void RunSums::add(const RunSums& more) {
  runs += more.runs;
  errors += more.errors;
  cold_starts += more.cold_starts;
  total_ms += more.total_ms;
  max_ms = std::max(max_ms, more.max_ms);
  peak_memory_bytes = std::max(peak_memory_bytes, more.peak_memory_bytes);
  for (const auto& [bucket, count] : more.durations) durations[bucket] += count;
}

double RunSums::percentile_ms(double share) const {
  const auto rank = static_cast<std::int64_t>(std::ceil(share * static_cast<double>(runs)));
  std::int64_t passed = 0;
  for (const auto& [bucket, count] : durations) {
    passed += count;
    if (passed >= rank) return std::min(max_ms, std::exp2((bucket - 0.5) / kBucketsAnOctave));
  }
  return max_ms;
}

std::string to_text(const RunSums& sums) {
  std::string text = fmt::format("{} {} {} {:.3f} {:.3f} {}", sums.runs, sums.errors, sums.cold_starts, sums.total_ms,
                                 sums.max_ms, sums.peak_memory_bytes);
  for (const auto& [bucket, count] : sums.durations) text += fmt::format(" {}:{}", bucket, count);
  return text;
}

std::optional<RunSums> parse_run_sums(std::string_view text) {
  RunSums sums;
  const bool whole = take(text, ' ', sums.runs) && take(text, ' ', sums.errors) && take(text, ' ', sums.cold_starts) &&
                     take(text, ' ', sums.total_ms) && take(text, ' ', sums.max_ms) &&
                     take(text, ' ', sums.peak_memory_bytes);
  if (!whole) return std::nullopt;
  while (!text.empty()) {
    int bucket = 0;
    std::int64_t count = 0;
    if (!take(text, ':', bucket) || !take(text, ' ', count)) return std::nullopt;
    if (bucket < kFirstBucket || bucket > kLastBucket) return std::nullopt;
    sums.durations[bucket] += count;
  }
  return sums;
}

}  // namespace infra
