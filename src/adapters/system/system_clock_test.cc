#include "adapters/system/system_clock.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "net/loops/event_loops.h"

namespace infra {
namespace {

using std::chrono::seconds;

class SystemClockTest : public testing::Test {
 protected:
  net::EventLoops loops_{2, 1};
  SystemClock clock_;
};

Task<void> sleep_a_little(Clock& clock, bool& late_enough) {
  const SteadyTime deadline = clock.steady_now() + milliseconds(20);
  co_await clock.sleep_until(deadline);
  late_enough = clock.steady_now() >= deadline;
}

TEST_F(SystemClockTest, SleepsUntilTheDeadline) {
  bool late_enough = false;
  loops_.run_blocking(sleep_a_little(clock_, late_enough));
  EXPECT_TRUE(late_enough);
}

Task<void> wait_for(std::shared_ptr<Signal> signal, SteadyTime deadline, bool& notified) {
  const std::thread::id before = std::this_thread::get_id();
  notified = co_await signal->wait_until(deadline);
  EXPECT_EQ(std::this_thread::get_id(), before);
}

TEST_F(SystemClockTest, SignalGivenBeforeTheWaitIsNotLost) {
  const std::shared_ptr<Signal> signal = clock_.make_signal();
  signal->notify();
  signal->notify();
  bool notified = false;
  loops_.run_blocking(wait_for(signal, SteadyTime::max(), notified));
  EXPECT_TRUE(notified);
}

TEST_F(SystemClockTest, SignalTimesOutAndCanBeAwaitedAgain) {
  const std::shared_ptr<Signal> signal = clock_.make_signal();
  bool notified = true;
  loops_.run_blocking(wait_for(signal, clock_.steady_now() + milliseconds(5), notified));
  EXPECT_FALSE(notified);
  signal->notify();
  loops_.run_blocking(wait_for(signal, clock_.steady_now(), notified));
  EXPECT_TRUE(notified);
}

// The notifier races with the start of the wait; a lost wake-up would hang until the deadline and fail.
TEST_F(SystemClockTest, NoWakeUpIsLostBetweenThreads) {
  constexpr int kRounds = 3000;
  for (int round = 0; round < kRounds; ++round) {
    std::shared_ptr<Signal> signal = clock_.make_signal();
    loops_.spawn("test", [](std::shared_ptr<Signal> mine) -> Task<void> {
      mine->notify();
      co_return;
    }(signal));
    bool notified = false;
    loops_.run_blocking(wait_for(std::move(signal), clock_.steady_now() + seconds(30), notified));
    ASSERT_TRUE(notified) << "round " << round;
  }
}

TEST_F(SystemClockTest, SignalOutlivesAWaiterThatWasDestroyedInItsWait) {
  const std::shared_ptr<Signal> signal = clock_.make_signal();
  bool notified = false;
  loops_.spawn("test", wait_for(signal, SteadyTime::max(), notified));
  loops_.stop();
  signal->notify();
  EXPECT_FALSE(notified);
}

}  // namespace
}  // namespace infra
