#include "app/read_series.h"

#include <fmt/format.h>

#include <array>

#include "core/error_codes.h"

namespace infra::app {
namespace {

using std::chrono::seconds;

constexpr seconds kUsualRange{3600};
constexpr int kUsualPoints = 120;
constexpr std::array kUsualSteps = {60, 300, 900, 3600, 21'600, 86'400};

seconds usual_step(milliseconds range) {
  for (const int step : kUsualSteps) {
    if (range <= seconds{step} * kUsualPoints) return seconds{step};
  }
  return ReadSeries::kLongestStep;
}

std::unexpected<Error> wrong(std::string why) {
  return fail(errors::invalid_series_range, std::move(why));
}

WallTime round_down(WallTime time, seconds step) {
  return WallTime{time.time_since_epoch() - time.time_since_epoch() % milliseconds(step)};
}

Result<Series> frame_of(const SeriesRange& range, WallTime now) {
  const WallTime to = range.to.value_or(now);
  const WallTime from = range.from.value_or(to - kUsualRange);
  if (from >= to) return wrong("from must be before to, which is now if it is not said.");
  if (from < now - kSeriesRetention - seconds{86'400} || to > now + seconds{86'400})
    return wrong("from and to must be within the last 30 days: older runs are not in the series.");
  const seconds step = range.step.value_or(usual_step(to - from));
  if (step < ReadSeries::kShortestStep || step > ReadSeries::kLongestStep || step.count() % 60 != 0)
    return wrong("step must be whole minutes in seconds, from 60 to 86400.");
  Series series{
      .from = round_down(from, step), .to = round_down(to - milliseconds{1}, step) + step, .step = step, .points = {}};
  const auto most = (series.to - series.from) / step;
  if (most > ReadSeries::kMaxPoints) {
    return wrong(
        fmt::format("From {} to {} there are {} steps of {} s, and at most {} are told: ask for a longer step.",
                    to_iso8601(from), to_iso8601(to), most, step.count(), ReadSeries::kMaxPoints));
  }
  return series;
}

}  // namespace

Task<Result<Series>> ReadSeries::read(FunctionId function, SeriesRange range) {
  auto series = frame_of(range, clock_.now());
  if (!series) co_return series;
  if (const auto row = co_await functions_.find(function); !row) co_return fail(row.error());
  const auto sums = co_await series_.read({.function_id = std::move(function),
                                           .from = std::chrono::floor<std::chrono::minutes>(series->from),
                                           .step = std::chrono::duration_cast<std::chrono::minutes>(series->step),
                                           .steps = static_cast<int>((series->to - series->from) / series->step)});
  if (!sums) co_return fail(sums.error());
  WallTime time = series->from;
  for (const RunSums& step : *sums) {
    if (step.runs > 0) series->points.push_back({.time = time, .sums = step});
    time += series->step;
  }
  co_return series;
}

}  // namespace infra::app
