// What every RunSeries promises. `Engine` is an EngineWorld with a `series()`, a `recorder()` that adds to it, and
// `settle()`, after which what was recorded is there to be read.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "contract/engine_world.h"
#include "contract/sample_rows.h"
#include "core/limits.h"
#include "ports/run_recorder.h"
#include "ports/run_series.h"

namespace infra {

template <typename Engine>
class RunSeriesContract : public ::testing::Test {
 protected:
  using minutes = std::chrono::minutes;
  static constexpr Minute kStart =
      std::chrono::floor<minutes>(std::chrono::sys_days{std::chrono::year{2026} / 12 / 1} + std::chrono::hours{10});

  // A failed run that began cold.
  LogRow row(const std::string& request, Minute at, double ms, const std::string& function = "f") {
    LogRow row = make_log(request, at, engine_.now() + limits::kLogTtl);
    row.function_id = {function};
    row.duration_ms = ms;
    return row;
  }
  void record(const LogRow& row, bool first = true) {
    EXPECT_EQ(engine_.run(engine_.recorder().record(row)).value(), first);
  }
  std::vector<RunSums> read(Minute from, minutes step, int steps, const std::string& function = "f") {
    engine_.settle();
    const auto sums =
        engine_.run(engine_.series().read({.function_id = {function}, .from = from, .step = step, .steps = steps}));
    EXPECT_TRUE(sums);
    return sums.value_or(std::vector<RunSums>{});
  }
  static std::vector<std::int64_t> runs_of(const std::vector<RunSums>& steps) {
    std::vector<std::int64_t> runs;
    for (const RunSums& sums : steps) runs.push_back(sums.runs);
    return runs;
  }

  Engine engine_;
};

TYPED_TEST_SUITE_P(RunSeriesContract);

TYPED_TEST_P(RunSeriesContract, ARunIsInTheMinuteOfItsAcceptance) {
  using Fixture = RunSeriesContract<TypeParam>;
  this->record(this->row("a", Fixture::kStart, 2));
  this->record(this->row("b", Fixture::kStart, 4));
  this->record(this->row("c", Fixture::kStart + std::chrono::minutes{2}, 8));
  this->record(this->row("d", Fixture::kStart, 1, "g"));
  const auto steps = this->read(Fixture::kStart - std::chrono::minutes{1}, std::chrono::minutes{1}, 4);
  EXPECT_EQ(Fixture::runs_of(steps), (std::vector<std::int64_t>{0, 2, 0, 1}));
  EXPECT_EQ(steps.at(1).errors, 2);
  EXPECT_EQ(steps.at(1).cold_starts, 2);
  EXPECT_DOUBLE_EQ(steps.at(1).total_ms, 6);
  EXPECT_DOUBLE_EQ(steps.at(1).max_ms, 4);
  EXPECT_EQ(steps.at(1).peak_memory_bytes, 9'437'184);
  EXPECT_EQ(steps.at(1).durations.size(), 2U);
}

TYPED_TEST_P(RunSeriesContract, ARowThatIsRecordedAgainIsAddedOnce) {
  using Fixture = RunSeriesContract<TypeParam>;
  this->record(this->row("a", Fixture::kStart, 2));
  this->record(this->row("a", Fixture::kStart, 2), false);
  this->engine_.settle();
  this->record(this->row("a", Fixture::kStart, 2), false);
  EXPECT_EQ(Fixture::runs_of(this->read(Fixture::kStart, std::chrono::minutes{1}, 1)), (std::vector<std::int64_t>{1}));
}

TYPED_TEST_P(RunSeriesContract, LaterRunsOfAMinuteAreAddedToIt) {
  using Fixture = RunSeriesContract<TypeParam>;
  for (const char* request : {"a", "b", "c"}) {
    this->record(this->row(request, Fixture::kStart, 2));
    this->engine_.settle();
  }
  EXPECT_EQ(Fixture::runs_of(this->read(Fixture::kStart, std::chrono::minutes{1}, 1)), (std::vector<std::int64_t>{3}));
}

TYPED_TEST_P(RunSeriesContract, StepsGoOverHoursAndDaysAndNothingBeyondThemIsIn) {
  using Fixture = RunSeriesContract<TypeParam>;
  const std::chrono::hours day{24};
  for (int hour = 0; hour < 26; ++hour) {
    this->record(this->row("a" + std::to_string(hour), Fixture::kStart + std::chrono::hours{hour}, 2));
    this->record(this->row("b" + std::to_string(hour),
                           Fixture::kStart + std::chrono::hours{hour} + std::chrono::minutes{59}, 2));
  }
  EXPECT_EQ(Fixture::runs_of(this->read(Fixture::kStart, std::chrono::minutes{720}, 2)),
            (std::vector<std::int64_t>{24, 24}));
  EXPECT_EQ(Fixture::runs_of(this->read(Fixture::kStart + std::chrono::minutes{1}, day, 1)),
            (std::vector<std::int64_t>{48}));
  EXPECT_EQ(Fixture::runs_of(this->read(Fixture::kStart + std::chrono::hours{26}, day, 1)),
            (std::vector<std::int64_t>{0}));
}

REGISTER_TYPED_TEST_SUITE_P(RunSeriesContract, ARunIsInTheMinuteOfItsAcceptance, ARowThatIsRecordedAgainIsAddedOnce,
                            LaterRunsOfAMinuteAreAddedToIt, StepsGoOverHoursAndDaysAndNothingBeyondThemIsIn);

}  // namespace infra
