#include "core/run_sums.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace infra {
namespace {

LogRow run(double ms, RunStatus status = RunStatus::success, std::optional<RunProfile> profile = std::nullopt) {
  LogRow row;
  row.status = status;
  row.duration_ms = ms;
  row.profile = profile;
  return row;
}

TEST(RunSums, AddUpWhatRunsCameTo) {
  RunSums sums;
  sums.add(run(2, RunStatus::success, RunProfile{.peak_memory_bytes = 9, .cpu_usage_us = 1, .cold_start = true}));
  sums.add(run(10, RunStatus::timeout, RunProfile{.peak_memory_bytes = 7}));
  sums.add(run(4, RunStatus::error));
  EXPECT_EQ(sums.runs, 3);
  EXPECT_EQ(sums.errors, 2);
  EXPECT_EQ(sums.cold_starts, 1);
  EXPECT_DOUBLE_EQ(sums.total_ms, 16);
  EXPECT_DOUBLE_EQ(sums.max_ms, 10);
  EXPECT_EQ(sums.peak_memory_bytes, 9);
}

TEST(RunSums, TwoPartsAreTheWhole) {
  RunSums whole;
  RunSums one;
  RunSums two;
  for (int i = 1; i <= 100; ++i) {
    const LogRow row = run(i * i, i % 3 == 0 ? RunStatus::failed : RunStatus::success);
    whole.add(row);
    (i % 2 == 0 ? one : two).add(row);
  }
  one.add(two);
  EXPECT_EQ(one, whole);
}

TEST(RunSums, APercentileIsWithinATenthOfTheNearestRank) {
  RunSums sums;
  for (int i = 1; i <= 1000; ++i) sums.add(run(0.05 * i));
  EXPECT_NEAR(sums.percentile_ms(0.5), 25, 2.5);
  EXPECT_NEAR(sums.percentile_ms(0.99), 49.5, 5);
  EXPECT_LE(sums.percentile_ms(1), 50);
  EXPECT_EQ(RunSums{}.percentile_ms(0.5), 0);
}

TEST(RunSums, TheTextHasAllOfThem) {
  RunSums sums;
  sums.add(run(2.5, RunStatus::failed, RunProfile{.peak_memory_bytes = std::int64_t{1} << 40, .cold_start = true}));
  sums.add(run(0.001));
  EXPECT_EQ(to_text(sums), "2 1 1 2.501 2.500 1099511627776 -39:1 6:1");
  EXPECT_EQ(parse_run_sums(to_text(sums)), sums);
  EXPECT_EQ(parse_run_sums(to_text(RunSums{})), RunSums{});
}

TEST(RunSums, AnyDurationHasABucketAndTheTextABound) {
  RunSums sums;
  for (double ms = 1e-9; ms < 1e12; ms *= 1.05) sums.add(run(ms));
  for (const double odd : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::max()}) {
    RunSums one;
    one.add(run(odd));
    EXPECT_EQ(one.durations.size(), 1U) << odd;
  }
  EXPECT_LE(to_text(sums).size(), 4096U);
  EXPECT_TRUE(parse_run_sums(to_text(sums)));
}

TEST(RunSums, WhatIsNoTextOfOursIsNone) {
  for (const char* text : {"", "1", "1 2 3 4 5", "a 1 1 1 1 1", "1 1 1 1 1 1 x", "1 1 1 1 1 1 5", "1 1 1 1 1 1 999:1",
                           "1 1 1 1 1 1 5:", "1;1 1 1 1 1"}) {
    EXPECT_FALSE(parse_run_sums(text)) << text;
  }
}

}  // namespace
}  // namespace infra
