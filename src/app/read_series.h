// A function's runs over time, for charts, of functions that exist.
#pragma once

#include <optional>
#include <vector>

#include "ports/clock.h"
#include "ports/function_store.h"
#include "ports/run_series.h"

namespace infra::app {

struct SeriesPoint {
  WallTime time;  // the step's beginning
  RunSums sums;
};

struct Series {
  WallTime from;  // a multiple of the step since 1970
  WallTime to;    // not in it
  std::chrono::seconds step;
  std::vector<SeriesPoint> points;  // of the steps in which runs were accepted, in order
};

// What is not said is: the last hour, in steps of which there are 120 at most.
struct SeriesRange {
  std::optional<WallTime> from{};
  std::optional<WallTime> to{};
  std::optional<std::chrono::seconds> step{};
};

class ReadSeries {
 public:
  static constexpr int kMaxPoints = 1000;
  static constexpr std::chrono::seconds kShortestStep{60};
  static constexpr std::chrono::seconds kLongestStep{86'400};

  ReadSeries(FunctionStore& functions, RunSeries& series, const Clock& clock)
      : functions_(functions), series_(series), clock_(clock) {}

  // `invalid` (code invalid_series_range), `not_found`, `not_set_up` (code configuration_absent).
  Task<Result<Series>> read(FunctionId function, SeriesRange range);

 private:
  FunctionStore& functions_;
  RunSeries& series_;
  const Clock& clock_;
};

}  // namespace infra::app
