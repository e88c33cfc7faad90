// What a function's runs came to over time, for charts: sums by the minute in which a run was accepted, for 30 days.
// Whoever records a run adds to them. Engines: SQLite, the configuration store.
#pragma once

#include <vector>

#include "core/error.h"
#include "core/ids.h"
#include "core/run_sums.h"
#include "core/task.h"
#include "core/time.h"

namespace infra {

inline constexpr std::chrono::days kSeriesRetention{30};

using Minute = std::chrono::sys_time<std::chrono::minutes>;

// `steps` of them, one behind the other, each of so many minutes.
struct SeriesQuery {
  FunctionId function_id;
  Minute from;
  std::chrono::minutes step{1};
  int steps = 0;
};

// Adds minutes up into the steps that were asked for.
class StepSums {
 public:
  explicit StepSums(const SeriesQuery& query)
      : from_(query.from), step_(query.step), sums_(static_cast<std::size_t>(query.steps)) {}
  [[nodiscard]] Minute from() const { return from_; }
  [[nodiscard]] Minute to() const { return from_ + step_ * static_cast<int>(sums_.size()); }  // not among them
  void add(Minute minute, const RunSums& sums) {
    if (minute >= from() && minute < to()) sums_[static_cast<std::size_t>((minute - from_) / step_)].add(sums);
  }
  [[nodiscard]] std::vector<RunSums> take() { return std::move(sums_); }

 private:
  Minute from_;
  std::chrono::minutes step_;
  std::vector<RunSums> sums_;
};

class RunSeries {
 public:
  virtual ~RunSeries() = default;
  // Any event thread. As many as the query has steps, those without runs too. `unavailable` when the engine does not
  // answer; configuration_absent where a fleet has no place for them.
  virtual Task<Result<std::vector<RunSums>>> read(const SeriesQuery& query) = 0;
};

// The minute that a run counts in. Nullopt of a row whose time can't be read.
[[nodiscard]] inline std::optional<Minute> minute_of(const LogRow& row) {
  const auto time = parse_iso8601(row.timestamp);
  return time ? std::optional(std::chrono::floor<std::chrono::minutes>(*time)) : std::nullopt;
}

}  // namespace infra
