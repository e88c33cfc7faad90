// Waiting and stopping of a worker's coroutines: no change is lost, and none outlives its group.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <stdexcept>

#include "async/supervised.h"
#include "support/run_as_time_passes.h"
#include "support/worker_world.h"
#include "telemetry/task_failures.h"
#include "worker/tasks/condition.h"
#include "worker/tasks/lifecycle.h"
#include "worker/tasks/task_group.h"

namespace infra::worker {
namespace {

using std::chrono::hours;
using std::chrono::steady_clock;

class TasksTest : public ::testing::Test {
 protected:
  bool wait(std::shared_ptr<Signal> change, milliseconds time) {
    return loop_.run(change->wait_until(steady_clock::now() + time));
  }

  TestLoop loop_;
  TestClock clock_{loop_};
};

TEST_F(TasksTest, AChangeBetweenLookingAndWaitingIsNotLost) {
  Condition condition(clock_);
  const auto first = condition.prepare_wait();
  const auto second = condition.prepare_wait();
  condition.notify_all();
  EXPECT_TRUE(wait(first, hours(1)));
  EXPECT_TRUE(wait(second, hours(1)));
  EXPECT_FALSE(wait(condition.prepare_wait(), milliseconds(1))) << "that change is over";
}

TEST_F(TasksTest, ThePhaseOnlyGoesOn) {
  Lifecycle lifecycle(clock_);
  EXPECT_EQ(lifecycle.phase(), Phase::running);
  EXPECT_TRUE(lifecycle.begin_draining());
  EXPECT_FALSE(lifecycle.begin_draining());
  lifecycle.begin_stopping();
  EXPECT_FALSE(lifecycle.begin_draining());
  EXPECT_EQ(lifecycle.phase(), Phase::stopping);
}

TEST_F(TasksTest, AWaitEndsWithItsTimeOrItsPhase) {
  Lifecycle lifecycle(clock_);
  EXPECT_TRUE(loop_.run(lifecycle.wait_within(Phase::running, milliseconds(1))));
  std::atomic<int> over = 0;
  const auto wait_within = [&](Phase latest) -> Task<void> {
    EXPECT_FALSE(co_await lifecycle.wait_within(latest, hours(1)));
    ++over;
  };
  TaskGroup tasks(loop_, clock_);
  tasks.spawn("test", wait_within(Phase::running));
  tasks.spawn("test", wait_within(Phase::draining));
  ASSERT_TRUE(lifecycle.begin_draining());
  lifecycle.notify_all();
  while (over == 0) std::this_thread::yield();
  EXPECT_TRUE(loop_.run(lifecycle.wait_within(Phase::draining, milliseconds(1))));
  EXPECT_EQ(over, 1) << "the other waits for the end";
  lifecycle.begin_stopping();
  lifecycle.notify_all();
  loop_.run(tasks.join());
  EXPECT_EQ(over, 2);
}

TEST_F(TasksTest, AGroupIsJoinedWhenItsLastTaskIsOver) {
  std::optional<TaskGroup> tasks(std::in_place, loop_, clock_);
  Condition go(clock_);
  std::atomic<int> over = 0;
  const auto first_change = go.prepare_wait();
  const auto task = [&](std::shared_ptr<Signal> change, bool again) -> Task<void> {
    if (change) co_await change->wait_until(steady_clock::now() + hours(1));
    if (again) {  // one may spawn others
      tasks->spawn("test", [](std::atomic<int>& count) -> Task<void> {
        ++count;
        co_return;
      }(over));
    }
    ++over;
  };
  tasks->spawn("test", task(first_change, true));
  tasks->spawn_on_each("test", [&] { return task(nullptr, false); });
  std::atomic<bool> joined = false;
  const auto join = [&]() -> Task<void> {
    co_await tasks->join();
    joined = true;
  };
  loop_.spawn("test", join());
  while (over == 0) std::this_thread::yield();
  EXPECT_FALSE(joined);
  go.notify_all();
  while (!joined) std::this_thread::yield();
  EXPECT_EQ(over, 3);
  tasks.reset();
}

TEST_F(TasksTest, ATaskThatBreaksIsOverAsWell) {
  TaskGroup tasks(loop_, clock_);
  bool told = false;
  tasks.spawn({"test", [&told] { told = true; }}, []() -> Task<void> {
    throw std::runtime_error("broken");
    co_return;
  }());
  loop_.run(tasks.join());
  EXPECT_EQ(task_failures().at("test"), 1U);
  loop_.run(loop_.yield());
  EXPECT_TRUE(told) << "its owner makes up for it";
}

TEST_F(TasksTest, ASupervisedTaskIsBegunAnewUntilItReturns) {
  ManualClock clock;
  int rounds = 0;
  run_as_time_passes(loop_, clock, supervised(clock, "supervised test", [&]() -> Task<void> {
                       if (++rounds < 3) throw std::runtime_error("broken");
                       co_return;
                     }));
  EXPECT_EQ(rounds, 3);
  EXPECT_EQ(task_failures().at("supervised test"), 2U);
}

}  // namespace
}  // namespace infra::worker
