// A stuck event thread is found, and one that only seems so is not.
#include "net/loops/watchdog.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace infra::net {
namespace {

using std::chrono::seconds;

constexpr milliseconds kPeriod{2000};

TEST(StandstillTest, AThreadThatSleepsStandsStill) {
  Standstill thread;
  EXPECT_EQ(thread.note({.since_last = kPeriod, .got_on = true}), milliseconds(0));
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(thread.note({.since_last = kPeriod}), i * kPeriod);
  EXPECT_EQ(thread.note({.since_last = kPeriod, .got_on = true}), milliseconds(0));
  EXPECT_EQ(thread.note({.since_last = kPeriod}), kPeriod);
}

TEST(StandstillTest, AStoppedProgramOrASuspendedMachineDoesNot) {
  Standstill thread;
  EXPECT_EQ(thread.note({.since_last = seconds(3600), .on_time = false}), milliseconds(0));
  EXPECT_EQ(thread.note({.since_last = kPeriod}), kPeriod);
  EXPECT_EQ(thread.note({.since_last = seconds(3600), .on_time = false}), kPeriod);
}

TEST(StandstillTest, AThreadThatWaitsForAProcessorIsChargedWithWhatItHadOfOne) {
  Standstill thread;
  EXPECT_EQ(thread.note({.since_last = kPeriod, .got_on = true, .cpu = seconds(100)}), milliseconds(0));
  EXPECT_EQ(thread.note({.since_last = kPeriod, .runnable = true, .cpu = seconds(100)}), milliseconds(0)) << "starved";
  EXPECT_EQ(thread.note({.since_last = kPeriod, .runnable = true, .cpu = milliseconds(100'500)}), milliseconds(500));
  EXPECT_EQ(thread.note({.since_last = kPeriod, .runnable = true, .cpu = milliseconds(102'500)}), milliseconds(2500))
      << "an endless loop";
}

Task<void> stand_until(std::shared_future<void> over) {
  over.wait();
  co_return;
}

TEST(WatchdogTest, TellsOfTheThreadThatIsStuckAndOfNoOther) {
  EventLoops loops(2, 1);
  std::promise<void> over;
  const std::shared_future<void> ended = over.get_future().share();
  std::promise<pid_t> found;
  std::atomic<bool> told = false;
  const Watchdog watchdog(
      loops,
      {.period = milliseconds(20), .patience = milliseconds(200), .on_stuck = [&](pid_t thread, milliseconds stood) {
         if (told.exchange(true)) return;
         EXPECT_GE(stood, milliseconds(200));
         found.set_value(thread);
         over.set_value();
       }});
  loops.run_blocking([](EventLoops& own) -> Task<void> { co_await own.yield(); }(loops));
  EXPECT_FALSE(told) << "they wait for events";
  pid_t stuck = 0;
  loops.run_blocking([](pid_t& id) -> Task<void> {
    id = ::gettid();
    co_return;
  }(stuck));
  const std::size_t index = loops.threads().front().id == stuck ? 0 : 1;
  spawn_on(loops.loop(index), "test", stand_until(ended));
  EXPECT_EQ(found.get_future().get(), stuck);
}

TEST(WatchdogDeathTest, TheProgramEndsWithEveryStackInItsLog) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        EventLoops loops(2, 1);
        const Watchdog watchdog(loops, {.period = milliseconds(20), .patience = milliseconds(200)});
        std::promise<void> never;
        loops.run_blocking(stand_until(never.get_future().share()));
      },
      "an event thread is stuck.*\"name\":\"event-[01]\",\"state\":\"S\",\"frames\":\"[^\"]*net_loops_test\\+0x");
}

}  // namespace
}  // namespace infra::net
