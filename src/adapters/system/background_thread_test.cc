#include "adapters/system/background_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace infra {
namespace {

TEST(BackgroundThread, StepsWhenItIsWokenAndNotBefore) {
  std::atomic<int> steps = 0;
  BackgroundThread thread("test", [&] {
    ++steps;
    return SteadyTime::max();
  });
  EXPECT_EQ(steps, 0);
  thread.run_until([&] { return steps >= 1; });
  thread.run_until([&] { return steps >= 2; });
}

TEST(BackgroundThread, StepsAgainAtTheTimeThatItsStepNamed) {
  std::atomic<int> steps = 0;
  BackgroundThread thread("test", [&] {
    return ++steps < 100 ? std::chrono::steady_clock::now() + std::chrono::microseconds(100) : SteadyTime::max();
  });
  thread.run_until([&] { return steps >= 100; });
  EXPECT_EQ(steps, 100);
}

// What was submitted before a wake-up is seen by a step after it, whichever thread wakes.
TEST(BackgroundThread, LosesNoWakeUp) {
  constexpr int kEach = 20'000;
  std::atomic<int> submitted = 0;
  std::atomic<int> seen = 0;
  BackgroundThread thread("test", [&] {
    seen = submitted.load();
    return SteadyTime::max();
  });
  std::vector<std::jthread> wakers;
  for (int i = 0; i < 4; ++i) {
    wakers.emplace_back([&] {
      for (int k = 0; k < kEach; ++k) {
        ++submitted;
        thread.wake();
      }
    });
  }
  wakers.clear();
  while (seen != 4 * kEach) std::this_thread::yield();
}

TEST(BackgroundThread, EndsWithoutAnotherStep) {
  std::atomic<int> steps = 0;
  {
    BackgroundThread thread("test", [&] {
      ++steps;
      return SteadyTime::max();
    });
  }
  EXPECT_EQ(steps, 0);
}

}  // namespace
}  // namespace infra
