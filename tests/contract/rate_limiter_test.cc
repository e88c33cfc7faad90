// RateLimiter's contract on its adapters, and what only the one in memory promises.
#include "adapters/embedded/memory_rate_limiter.h"
#include "contract/rate_limiter_contract.h"

namespace infra::testing {
namespace {

struct Memory {
  static std::unique_ptr<RateLimiter> make(RatePolicy policy, HandClock& clock) {
    return std::make_unique<MemoryRateLimiter>(policy, clock);
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, RateLimiterContract, Memory);

TEST(MemoryRateLimiterTest, ForgetsIdleKeysAsOthersCome) {
  HandClock clock;
  MemoryRateLimiter limiter({.limit = 100, .window = std::chrono::seconds{60}}, clock);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 2000; ++i) run_task(limiter.admit(std::to_string(round * 2000 + i)));
    clock.advance(std::chrono::seconds{61});
  }
  EXPECT_LE(limiter.tracked_keys(), 4000U);
}

TEST(MemoryRateLimiterTest, KeepsNothingWhenItIsOff) {
  HandClock clock;
  MemoryRateLimiter limiter({.limit = 0, .window = std::chrono::seconds{60}}, clock);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(run_task(limiter.admit("a")).allowed);
  EXPECT_EQ(limiter.tracked_keys(), 0U);
}

}  // namespace
}  // namespace infra::testing
