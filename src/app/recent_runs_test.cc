// A result is advised on by the runs before it, of the same code and memory; and no more is kept than there is room
// for.
#include "app/recent_runs.h"

#include <gmock/gmock.h>

#include <string>

namespace infra::app {
namespace {

constexpr std::int64_t kMb = 1024 * 1024;

Job job_of(const std::string& function, int memory_mb = 1024, const std::string& code = "functions/f/1.zip") {
  Job job;
  job.function_id = {function};
  job.memory_mb = memory_mb;
  job.code.key = code;
  return job;
}

JobResult result_of(std::int64_t peak_mb) {
  JobResult result;
  result.status = RunStatus::success;
  result.peak_memory_bytes = peak_mb * kMb;
  return result;
}

// Each one is another run.
JobResult settle(RecentRuns& runs, Job job, JobResult result) {
  static int settled = 0;
  job.request_id = {std::to_string(++settled)};
  runs.take_in(job, result);
  return result;
}

void settle_many(RecentRuns& runs, const Job& job, int count, std::int64_t peak_mb = 40) {
  for (int i = 0; i < count; ++i) settle(runs, job, result_of(peak_mb));
}

TEST(RecentRunsTest, TheTenthRunIsAdvisedOnAndTheFirstNineAreNot) {
  RecentRuns runs;
  for (int i = 1; i <= 9; ++i) {
    const auto result = settle(runs, job_of("f"), result_of(40));
    EXPECT_EQ(result.recommended_memory_mb, std::nullopt) << i;
    EXPECT_EQ(result.optimization_tip, "");
  }
  const auto tenth = settle(runs, job_of("f"), result_of(40));
  EXPECT_EQ(tenth.recommended_memory_mb, 128);
  EXPECT_EQ(tenth.estimated_savings, "88%");
  EXPECT_EQ(tenth.optimization_tip, "The largest of 10 runs needed 40.0 of its 1024 MB; 128 MB are enough.");
}

TEST(RecentRunsTest, WhatIsRightIsRecommendedAsItIs) {
  RecentRuns runs;
  settle_many(runs, job_of("f", 256), 9, 180);
  const auto tenth = settle(runs, job_of("f", 256), result_of(180));
  EXPECT_EQ(tenth.recommended_memory_mb, 256);
  EXPECT_EQ(tenth.optimization_tip, "");
  EXPECT_EQ(tenth.estimated_savings, "");
}

TEST(RecentRunsTest, ARunThatIsSettledAgainIsNoSecondOne) {
  RecentRuns runs;
  settle_many(runs, job_of("f"), 8);
  for (int again = 0; again < 3; ++again) {
    Job ninth = job_of("f");
    ninth.request_id = {"ninth"};
    auto result = result_of(40);
    runs.take_in(ninth, result);
    EXPECT_EQ(result.recommended_memory_mb, std::nullopt);
  }
}

TEST(RecentRunsTest, ASmallRunDoesNotContradictALargeOneBeforeIt) {
  RecentRuns runs;
  settle_many(runs, job_of("f"), 1, 600);
  settle_many(runs, job_of("f"), 20);
  EXPECT_EQ(settle(runs, job_of("f"), result_of(10)).recommended_memory_mb, 768);
}

TEST(RecentRunsTest, OutOfMemoryIsAdvisedOnAtOnce) {
  RecentRuns runs;
  auto result = result_of(256);
  result.status = RunStatus::failed;
  result.error_code = "out_of_memory";
  EXPECT_EQ(settle(runs, job_of("f", 256), result).recommended_memory_mb, 512);
}

TEST(RecentRunsTest, OtherCodeOrMemoryBeginsAnew) {
  RecentRuns runs;
  settle_many(runs, job_of("f"), 20);
  EXPECT_EQ(settle(runs, job_of("f", 512), result_of(40)).recommended_memory_mb, std::nullopt);
  settle_many(runs, job_of("f", 512), 9);
  EXPECT_EQ(settle(runs, job_of("f", 512), result_of(40)).recommended_memory_mb, 128);
  EXPECT_EQ(settle(runs, job_of("f", 512, "functions/f/2.zip"), result_of(40)).recommended_memory_mb, std::nullopt);
  EXPECT_EQ(settle(runs, job_of("g", 512), result_of(40)).recommended_memory_mb, std::nullopt);
}

TEST(RecentRunsTest, WhatDidNotRunIsNotNotedAndToldWhatTheOthersAdvise) {
  RecentRuns runs;
  settle_many(runs, job_of("f"), 9);
  EXPECT_EQ(settle(runs, job_of("f"), result_of(0)).recommended_memory_mb, std::nullopt);
  settle_many(runs, job_of("f"), 1);
  EXPECT_EQ(settle(runs, job_of("f"), result_of(0)).recommended_memory_mb, 128);
}

TEST(RecentRunsTest, OldRunsAndFunctionsThatRestGiveWay) {
  RecentRuns runs(2);
  settle_many(runs, job_of("f"), 1, 600);
  settle_many(runs, job_of("f"), 100);
  EXPECT_EQ(settle(runs, job_of("f"), result_of(40)).recommended_memory_mb, 128);
  settle_many(runs, job_of("g"), 20);
  settle_many(runs, job_of("f"), 1);
  settle_many(runs, job_of("h"), 1);  // in g's place, which has rested longest
  EXPECT_EQ(settle(runs, job_of("f"), result_of(40)).recommended_memory_mb, 128);
  EXPECT_EQ(settle(runs, job_of("g"), result_of(40)).recommended_memory_mb, std::nullopt);
}

}  // namespace
}  // namespace infra::app
