// RateLimiter's contract on its adapters, and what only the one in memory promises.
#include "adapters/memory/memory_rate_limiter.h"
#include "contract/rate_limiter_contract.h"

namespace infra::testing {
namespace {

class Memory {
 public:
  static constexpr milliseconds kSlack{0};
  static constexpr int kRounds = 8000;

  explicit Memory(RatePolicy policy) : limiter_(policy, clock_) {}
  RateDecision admit(const std::string& key) { return run_task(limiter_.admit(key)); }
  RateDecision admit(const std::string& key, int limit) { return run_task(limiter_.admit(key, limit)); }
  void advance(milliseconds step) { clock_.advance(step); }
  [[nodiscard]] SteadyTime before() const { return clock_.steady_now(); }
  [[nodiscard]] SteadyTime after() const { return clock_.steady_now(); }

 private:
  ManualClock clock_;
  MemoryRateLimiter limiter_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, RateLimiterContract, Memory);

TEST(MemoryRateLimiterTest, ForgetsIdleKeysAsOthersCome) {
  ManualClock clock;
  MemoryRateLimiter limiter({.limit = 100, .window = std::chrono::seconds{60}}, clock);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 2000; ++i) run_task(limiter.admit(std::to_string(round * 2000 + i)));
    clock.advance(std::chrono::seconds{61});
  }
  EXPECT_LE(limiter.tracked_keys(), 4000U);
}

TEST(MemoryRateLimiterTest, KeepsNothingWhenItIsOff) {
  ManualClock clock;
  MemoryRateLimiter limiter({.limit = 0, .window = std::chrono::seconds{60}}, clock);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(run_task(limiter.admit("a")).allowed);
  EXPECT_EQ(limiter.tracked_keys(), 0U);
}

}  // namespace
}  // namespace infra::testing
