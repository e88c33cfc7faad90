// The suspects' slot, on a clock that the test moves: closed for two seconds, then one job at a time, oldest first.
#include "worker/jobs/suspects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "support/event_counter.h"
#include "support/manual_clock.h"
#include "support/run_as_time_passes.h"
#include "support/worker_world.h"

namespace infra::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ListedSuspects : public SuspectQueue {
 public:
  [[nodiscard]] bool has_suspects() const override { return !ids.empty(); }
  Task<Result<std::optional<Delivery>>> receive_suspect() override {
    if (std::exchange(fails, false)) co_return fail(errors::engine_unavailable, "Not now.");
    if (ids.empty()) co_return std::nullopt;
    Delivery delivery;
    delivery.job.request_id = {ids.front()};
    ids.pop_front();
    co_return delivery;
  }
  void begin_suspects() override { begun = true; }
  Task<void> end_suspects() override {
    ended = true;
    co_return;
  }
  std::deque<std::string> ids;
  bool fails = false;
  bool begun = false;
  bool ended = false;
};

class SuspectsTest : public ::testing::Test {
 protected:
  ~SuspectsTest() override { EXPECT_EQ(running_, 0); }

  void start() { start(suspects_.run()); }
  void start(Task<void> task) {
    loop_.spawn("test", [](Task<void> task, testing::EventCounter& over) -> Task<void> {
      co_await std::move(task);
      over.add();
    }(std::move(task), over_));
  }
  Task<void> run(Delivery delivery) {
    EXPECT_EQ(++running_, 1) << "one at a time";
    started_.push_back(delivery.job.request_id.value);
    co_await loop_.yield();
    --running_;
  }

  TestLoop loop_;
  ManualClock clock_;
  Lifecycle lifecycle_{clock_};
  ListedSuspects queue_;
  Suspects suspects_{&queue_, lifecycle_, [this](Delivery delivery) { return run(std::move(delivery)); }};
  testing::EventCounter over_;
  std::vector<std::string> started_;  // read when it is over, or before the clock has moved
  int running_ = 0;
};

TEST_F(SuspectsTest, OpensWhenTheProgramHasListenedForTwoSeconds) {
  queue_.ids = {"1", "2", "3"};
  start();
  clock_.await_sleepers(1);
  clock_.advance(milliseconds{1999});
  loop_.run(loop_.yield());
  EXPECT_THAT(started_, IsEmpty());
  EXPECT_FALSE(queue_.begun);
  clock_.await_sleepers(1);
  clock_.advance(milliseconds{1});
  ASSERT_TRUE(over_.await(1));
  EXPECT_TRUE(queue_.begun);
  EXPECT_THAT(started_, ElementsAre("1", "2", "3"));
}

TEST_F(SuspectsTest, AQueueThatDoesNotAnswerIsAskedAgain) {
  queue_.ids = {"1"};
  queue_.fails = true;
  run_as_time_passes(loop_, clock_, suspects_.run());
  EXPECT_THAT(started_, ElementsAre("1"));
}

TEST_F(SuspectsTest, ThoseThatWaitAreGivenBackWhenTheWorkerDrains) {
  start(suspects_.end());
  clock_.await_sleepers(1);
  loop_.run(loop_.yield());
  EXPECT_FALSE(queue_.ended);
  ASSERT_TRUE(lifecycle_.begin_draining());
  lifecycle_.notify_all();
  ASSERT_TRUE(over_.await(1));
  EXPECT_TRUE(queue_.ended);
}

TEST_F(SuspectsTest, WithoutSuspectsNothingWaits) {
  start();
  EXPECT_TRUE(over_.await(1));
}

TEST_F(SuspectsTest, AWorkerThatStopsBeforeOpensNothing) {
  queue_.ids = {"1"};
  start();
  clock_.await_sleepers(1);
  ASSERT_TRUE(lifecycle_.begin_draining());
  lifecycle_.notify_all();
  EXPECT_TRUE(over_.await(1));
  EXPECT_THAT(started_, IsEmpty());
}

}  // namespace
}  // namespace infra::worker
