// Sums of runs as items: several writers, lost answers, a table that is not there, and how much is kept in memory.
#include "app/hourly_series.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/error_codes.h"
#include "support/fake_configuration.h"
#include "support/manual_clock.h"
#include "support/metric_value.h"
#include "support/run_task.h"

namespace infra::app {
namespace {

constexpr Minute kAt{std::chrono::minutes{29'000'000}};

LogRow run_of(const std::string& function, Minute at = kAt) {
  LogRow row;
  row.function_id = {function};
  row.timestamp = to_iso8601(at);
  row.status = RunStatus::success;
  row.duration_ms = 1;
  return row;
}

// Of which writes alone may fail, or those of one partition.
class FailingConfiguration : public fakes::FakeConfiguration {
 public:
  using FakeConfiguration::FakeConfiguration;
  bool there = true;
  bool refuses_writes = false;
  std::string refused;  // a partition

  [[nodiscard]] bool exists() const override { return there; }
  Task<Result<void>> put_new(const ConfigurationItem& item) override {
    if (item.key.partition == refused) co_return fail(errors::internal, "refused");
    if (refuses_writes) co_return fail(errors::engine_unavailable, "away");
    co_return co_await FakeConfiguration::put_new(item);
  }
};

// Whoever sleeps has slept.
class Passing final : public Clock {
 public:
  int sleeps = 0;
  std::function<void()> after_three;

  [[nodiscard]] WallTime now() const override { return time_.now(); }
  [[nodiscard]] SteadyTime steady_now() const override { return time_.steady_now(); }
  Task<void> sleep_until(SteadyTime deadline) override {
    time_.advance(std::chrono::duration_cast<milliseconds>(deadline - time_.steady_now()));
    if (++sleeps == 3 && after_three) after_three();
    co_return;
  }
  [[nodiscard]] std::shared_ptr<Signal> make_signal() override { return time_.make_signal(); }
  int poll(std::span<pollfd> descriptors, SteadyTime deadline) override { return time_.poll(descriptors, deadline); }
  void pause_until(SteadyTime deadline) override { time_.pause_until(deadline); }

 private:
  ManualClock time_;
};

class HourlySeriesTest : public ::testing::Test {
 protected:
  void write(HourlySeries& series) { run_task(series.write(SteadyTime::max())); }
  std::int64_t runs(const std::string& function = "f") {
    const auto sums = run_task(one_.read({.function_id = {function}, .from = kAt, .steps = 1}));
    return sums ? sums->at(0).runs : -1;
  }

  ManualClock clock_;
  Metrics metrics_;
  fakes::WriteBudget budget_;
  FailingConfiguration store_{budget_};
  HourlySeries one_{store_, clock_, metrics_};
  HourlySeries two_{store_, clock_, metrics_};
};

TEST_F(HourlySeriesTest, WhatSeveralProgramsRanIsAddedUp) {
  one_.note(run_of("f"));
  two_.note(run_of("f"));
  two_.note(run_of("f"));
  budget_.another = [&] { write(two_); };
  budget_.calls_before_another = 1;  // it has read, and is about to put
  write(one_);
  EXPECT_EQ(runs(), 3);
  EXPECT_EQ(store_.items.size(), 1U);
}

TEST_F(HourlySeriesTest, WhatCannotBeWrittenIsWrittenLater) {
  one_.note(run_of("f"));
  store_.refuses_writes = true;
  write(one_);
  EXPECT_EQ(runs(), 0);
  one_.note(run_of("f"));
  write(one_);
  store_.refuses_writes = false;
  write(one_);
  EXPECT_EQ(runs(), 2);
}

TEST_F(HourlySeriesTest, WhatWasWrittenThoughTheAnswerWasLostIsNotWrittenAgain) {
  one_.note(run_of("f"));
  budget_ = {.left = 1, .answer_lost = true};
  write(one_);
  budget_ = {};
  one_.note(run_of("f"));
  write(one_);
  write(one_);
  EXPECT_EQ(runs(), 2);
}

TEST_F(HourlySeriesTest, OneThatIsRefusedKeepsNoOtherFromBeingWritten) {
  for (const char* function : {"a", "f", "z"}) one_.note(run_of(function));
  store_.refused = "series#a";
  write(one_);
  EXPECT_EQ(runs("f"), 1);
  EXPECT_EQ(runs("z"), 1);
  EXPECT_EQ(testing::metric_value(metrics_, "series_runs_dropped_total"), 1);
  store_.refused.clear();
  write(one_);
  EXPECT_EQ(runs("a"), 0);
}

TEST_F(HourlySeriesTest, PastTheDeadlineNothingIsBegun) {
  one_.note(run_of("f"));
  run_task(one_.write(clock_.steady_now()));
  EXPECT_EQ(runs(), 0);
  write(one_);
  EXPECT_EQ(runs(), 1);
}

TEST_F(HourlySeriesTest, TheLastIsTriedUntilItIsWrittenOrTheTimeIsOver) {
  Passing passing;
  HourlySeries last(store_, passing, metrics_);
  last.note(run_of("f"));
  store_.refuses_writes = true;
  run_task(last.finish(passing.steady_now() + std::chrono::seconds{5}));
  EXPECT_GT(passing.sleeps, 10);
  EXPECT_EQ(runs(), 0);
  passing.sleeps = 0;
  passing.after_three = [&] { store_.refuses_writes = false; };
  run_task(last.finish(passing.steady_now() + std::chrono::seconds{5}));
  EXPECT_EQ(passing.sleeps, 3);
  EXPECT_EQ(runs(), 1);
}

TEST_F(HourlySeriesTest, WithoutATableNothingIsKept) {
  store_.there = false;
  one_.note(run_of("f"));
  store_.there = true;
  write(one_);
  EXPECT_EQ(runs(), 0);
}

TEST_F(HourlySeriesTest, AnItemIsKeptForThirtyDays) {
  one_.note(run_of("f"));
  write(one_);
  ASSERT_EQ(store_.items.size(), 1U);
  const auto& item = store_.items.begin()->second;
  EXPECT_EQ(item.key.partition, "series#f");
  EXPECT_EQ(item.key.sort, to_iso8601(kAt).substr(0, 13));
  EXPECT_EQ(item.expires_at, std::chrono::floor<std::chrono::hours>(kAt) + std::chrono::hours{1} + kSeriesRetention);
}

TEST_F(HourlySeriesTest, WhatWaitsIsBoundedAndTheRestIsCounted) {
  for (std::size_t i = 0; i < HourlySeries::kMaxHours; ++i) one_.note(run_of(fmt::format("f{}", i)));
  one_.note(run_of("one more"));
  one_.note(run_of("f0"));
  EXPECT_EQ(testing::metric_value(metrics_, "series_runs_dropped_total"), 1);
  write(one_);
  EXPECT_EQ(runs("one more"), 0);
  EXPECT_EQ(runs("f0"), 2);
}

TEST_F(HourlySeriesTest, AnItemOfOthersIsReadAsFarAsItIsUnderstood) {
  const std::string hour = to_iso8601(kAt).substr(0, 13);
  const auto minute = (kAt - std::chrono::floor<std::chrono::hours>(kAt)).count();
  store_.items[{"series#f", hour}] = {
      .key = {.partition = "series#f", .sort = hour},
      .attributes = {{"minutes", fmt::format("x;77=1 0 0 1 1 1;{0}=2 0 0 1 1 1;{0}=?;", minute)}}};
  EXPECT_EQ(runs(), 2);
}

}  // namespace
}  // namespace infra::app
