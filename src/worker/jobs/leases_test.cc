// What a running job holds is renewed in time, until the job is over, and on a clock that the test moves.
#include "worker/jobs/leases.h"

#include <gtest/gtest.h>

#include "core/limits.h"
#include "core/operator_error_codes.h"
#include "support/event_counter.h"
#include "support/manual_clock.h"
#include "support/run_as_time_passes.h"
#include "support/worker_world.h"

namespace infra::worker {
namespace {

class CountingQueue : public MemoryQueue {
 public:
  using MemoryQueue::MemoryQueue;
  Task<Result<void>> extend(const std::string& receipt) override {
    extended.add();
    if (receipt == "dead") co_return fail(errors::receipt_dead, "It is another worker's.");
    if (receipt == "away") co_return fail(errors::engine_unavailable, "Nobody says whose it is.");
    co_return Result<void>();
  }
  testing::EventCounter extended;
};

class CountingLimiter : public TestLimiter {
 public:
  Task<Result<void>> renew(const LimitedRun&, bool) override {
    renewed.add();
    co_return Result<void>();
  }
  testing::EventCounter renewed;
};

class LeasesTest : public ::testing::Test {
 protected:
  ~LeasesTest() override { run_as_time_passes(loop_, clock_, tasks_.join()); }
  Delivery delivery(int max_concurrency, std::string receipt = "receipt") {
    Job job;
    job.max_concurrency = max_concurrency;
    return {.job = job, .receipt = std::move(receipt)};
  }
  void pass(milliseconds time, std::size_t renewals) {
    clock_.await_sleepers(renewals);
    clock_.advance(time);
  }
  static void await(const testing::EventCounter& count, int value) {
    EXPECT_TRUE(count.await(value));
    EXPECT_EQ(count.value(), value);
  }

  TestLoop loop_;
  ManualClock clock_;
  CountingQueue queue_{clock_};
  CountingLimiter limiter_;
  TaskGroup tasks_{loop_, clock_};
  RunGate gate_{limiter_, clock_, {}, [](const Job&) { return false; }, [] {}};
  Leases leases_{queue_, gate_, tasks_, clock_};
  const HoldPtr hold_ = std::make_shared<Hold>();
};

TEST_F(LeasesTest, AJobsLeaseIsRenewedUntilItIsOver) {
  const auto renewal = leases_.renew(delivery(0), gate_.admit({}), hold_);
  pass(limits::kVisibilityRenewal - milliseconds(1), 1);
  EXPECT_EQ(queue_.extended.value(), 0);
  for (int round = 1; round <= 3; ++round) {
    pass(round == 1 ? milliseconds(1) : limits::kVisibilityRenewal, 1);
    await(queue_.extended, round);
  }
  renewal.end();
  loop_.run(loop_.yield());
  pass(limits::kVisibilityRenewal, 0);
  EXPECT_EQ(queue_.extended.value(), 3);
  EXPECT_EQ(limiter_.renewed.value(), 0) << "its function has no limit";
}

TEST_F(LeasesTest, ALimitedFunctionsJobRenewsItsPermitToo) {
  const auto renewal = leases_.renew(delivery(1), gate_.admit({}), hold_);
  pass(limits::kVisibilityRenewal, 2);
  await(queue_.extended, 1);
  await(limiter_.renewed, 1);
  renewal.end();
}

TEST_F(LeasesTest, ALeaseThatCannotBeExtendedIsTriedAgain) {
  const auto renewal = leases_.renew(delivery(0, "away"), gate_.admit({}), hold_);
  for (int round = 1; round <= 2; ++round) {
    pass(limits::kVisibilityRenewal, 1);
    await(queue_.extended, round);
  }
  EXPECT_FALSE(hold_->lost());
  renewal.end();
}

TEST_F(LeasesTest, ALeaseThatIsLostStopsWhatRunsAndIsNotRenewed) {
  testing::EventCounter stopped;
  const Hold::Guard running(*hold_, [&] { stopped.add(); });
  const auto renewal = leases_.renew(delivery(0, "dead"), gate_.admit({}), hold_);
  pass(limits::kVisibilityRenewal, 1);
  await(stopped, 1);
  EXPECT_TRUE(hold_->lost());
  loop_.run(loop_.yield());
  pass(limits::kVisibilityRenewal, 0);
  EXPECT_EQ(queue_.extended.value(), 1);
  renewal.end();
}

TEST(HoldTest, WhatBeginsAfterTheLossIsStoppedAtOnceAndWhatIsOverIsNot) {
  Hold hold;
  int stopped = 0;
  {
    const Hold::Guard over(hold, [&] { ++stopped; });
  }
  hold.lose();
  EXPECT_EQ(stopped, 0);
  const Hold::Guard late(hold, [&] { ++stopped; });
  EXPECT_EQ(stopped, 1);
}

}  // namespace
}  // namespace infra::worker
