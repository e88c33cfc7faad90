// What a running job holds is renewed in time, until the job is over, and on a clock that the test moves.
#include "worker/jobs/leases.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "core/limits.h"
#include "core/operator_error_codes.h"
#include "support/manual_clock.h"
#include "support/worker_world.h"

namespace infra::worker {
namespace {

class CountingQueue : public MemoryQueue {
 public:
  using MemoryQueue::MemoryQueue;
  Task<Result<void>> extend(const std::string& receipt) override {
    ++extended;
    if (receipt == "dead") co_return fail(errors::receipt_dead, "It is another worker's.");
    co_return Result<void>();
  }
  std::atomic<int> extended = 0;
};

class CountingLimiter : public TestLimiter {
 public:
  Task<Result<void>> renew(const LimitedRun&, bool) override {
    ++renewed;
    co_return Result<void>();
  }
  std::atomic<int> renewed = 0;
};

class LeasesTest : public ::testing::Test {
 protected:
  ~LeasesTest() override {
    std::atomic<bool> joined = false;
    loop_.spawn([](TaskGroup& tasks, std::atomic<bool>& done) -> Task<void> {
      co_await tasks.join();
      done = true;
    }(tasks_, joined));
    for (; !joined; std::this_thread::sleep_for(milliseconds(1))) clock_.advance(milliseconds(2));
  }
  Delivery delivery(int max_concurrency, std::string receipt = "receipt") {
    Job job;
    job.max_concurrency = max_concurrency;
    return {.job = job, .receipt = std::move(receipt)};
  }
  void pass(milliseconds time, std::size_t renewals) {
    clock_.await_sleepers(renewals);
    clock_.advance(time);
  }
  static void await(const std::atomic<int>& count, int value) {
    for (int i = 0; i < 10'000 && count < value; ++i) std::this_thread::sleep_for(milliseconds(1));
    EXPECT_EQ(count, value);
  }

  TestLoop loop_;
  ManualClock clock_;
  CountingQueue queue_{clock_};
  CountingLimiter limiter_;
  TaskGroup tasks_{loop_, clock_};
  RunGate gate_{limiter_, clock_, {}, [](const Job&) { return false; }, [] {}};
  Leases leases_{queue_, gate_, tasks_, clock_};
};

TEST_F(LeasesTest, AJobsLeaseIsRenewedUntilItIsOver) {
  const auto renewal = leases_.renew(delivery(0), gate_.queue_up());
  pass(limits::kVisibilityRenewal - milliseconds(1), 1);
  EXPECT_EQ(queue_.extended, 0);
  for (int round = 1; round <= 3; ++round) {
    pass(round == 1 ? milliseconds(1) : limits::kVisibilityRenewal, 1);
    await(queue_.extended, round);
  }
  renewal.end();
  loop_.run(loop_.yield());
  pass(limits::kVisibilityRenewal, 0);
  EXPECT_EQ(queue_.extended, 3);
  EXPECT_EQ(limiter_.renewed, 0) << "its function has no limit";
}

TEST_F(LeasesTest, ALimitedFunctionsJobRenewsItsPermitToo) {
  const auto renewal = leases_.renew(delivery(1), gate_.queue_up());
  pass(limits::kVisibilityRenewal, 2);
  await(queue_.extended, 1);
  await(limiter_.renewed, 1);
  renewal.end();
}

TEST_F(LeasesTest, ALeaseThatCannotBeExtendedIsTriedAgain) {
  const auto renewal = leases_.renew(delivery(0, "dead"), gate_.queue_up());
  for (int round = 1; round <= 2; ++round) {
    pass(limits::kVisibilityRenewal, 1);
    await(queue_.extended, round);
  }
  renewal.end();
}

}  // namespace
}  // namespace infra::worker
