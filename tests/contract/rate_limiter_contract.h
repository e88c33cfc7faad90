// What every RateLimiter promises. Instantiate with a world type, constructed for a policy: admit(key) from any thread,
// advance(time), before() and after() (moments on the limiter's own clock that are surely not later, and surely not
// earlier, than now), kSlack (how far its clock moves by itself while a test looks away) and kRounds.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "ports/rate_limiter.h"
#include "support/manual_clock.h"
#include "support/run_task.h"

namespace infra::testing {

template <typename World>
class RateLimiterContract : public ::testing::Test {
 protected:
  static constexpr RatePolicy kPolicy{.limit = 100, .window = std::chrono::seconds{60}};
  World world_{kPolicy};

  RateDecision admit(const std::string& key) { return world_.admit(key); }
};

TYPED_TEST_SUITE_P(RateLimiterContract);

TYPED_TEST_P(RateLimiterContract, CountsEachKeyByItself) {
  for (int i = 99; i >= 0; --i) {
    const RateDecision decision = this->admit("a");
    ASSERT_TRUE(decision.allowed);
    EXPECT_EQ(decision.limit, 100);
    EXPECT_EQ(decision.remaining, i);
  }
  EXPECT_FALSE(this->admit("a").allowed);
  EXPECT_TRUE(this->admit("b").allowed);
}

TYPED_TEST_P(RateLimiterContract, SaysExactlyWhenToComeBack) {
  for (int i = 0; i < 100; ++i) this->admit("a");
  this->world_.advance(std::chrono::seconds{20});
  const RateDecision refused = this->admit("a");
  ASSERT_FALSE(refused.allowed);
  EXPECT_EQ(refused.remaining, 0);
  this->world_.advance(refused.reset_after - milliseconds{1} - TypeParam::kSlack);
  EXPECT_FALSE(this->admit("a").allowed);
  this->world_.advance(milliseconds{1} + TypeParam::kSlack);
  EXPECT_TRUE(this->admit("a").allowed);
}

// Threads hit many keys while time moves. An admission happened somewhere between the two readings of the clock round
// it; what lies wholly inside a window may never be more than the limit.
TYPED_TEST_P(RateLimiterContract, NeverMoreThanTheLimitInAnyWindow) {
  struct Admission {
    SteadyTime before, after;
  };
  constexpr int kThreads = 4;
  constexpr int kKeys = 7;
  std::vector<std::map<std::string, std::vector<Admission>>> seen(kThreads);
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, &mine = seen[t]] {
      std::mt19937 random(t);  // NOLINT: a failure must repeat itself
      for (int i = 0; i < TypeParam::kRounds; ++i) {
        const std::string key = "key-" + std::to_string(random() % kKeys);
        const SteadyTime before = this->world_.before();
        const bool allowed = this->admit(key).allowed;
        if (allowed) mine[key].push_back({before, this->world_.after()});
        if (random() % 4 == 0) this->world_.advance(milliseconds{random() % 50 * (8000 / TypeParam::kRounds)});
        if (random() % 2000 == 0) this->world_.advance(std::chrono::seconds{30});
      }
    });
  }
  threads.clear();  // joins

  std::map<std::string, std::vector<Admission>> by_key;
  for (const auto& mine : seen) {
    for (const auto& [key, admissions] : mine)
      by_key[key].insert(by_key[key].end(), admissions.begin(), admissions.end());
  }
  for (const auto& [key, admissions] : by_key) {
    EXPECT_GT(admissions.size(), 100U) << "time moved too little for " << key;
    for (const auto& first : admissions) {
      const auto inside = std::ranges::count_if(admissions, [&](const Admission& other) {
        return other.before >= first.before && other.after <= first.before + this->kPolicy.window;
      });
      ASSERT_LE(inside, 100) << key;
    }
  }
}

TYPED_TEST_P(RateLimiterContract, AKeyMayHaveALimitOfItsOwn) {
  for (int i = 2; i >= 0; --i) {
    const RateDecision decision = this->world_.admit("own", 3);
    ASSERT_TRUE(decision.allowed);
    EXPECT_EQ(decision.limit, 3);
    EXPECT_EQ(decision.remaining, i);
  }
  const RateDecision refused = this->world_.admit("own", 3);
  ASSERT_FALSE(refused.allowed);
  EXPECT_EQ(refused.limit, 3);
  EXPECT_TRUE(this->admit("a").allowed);
  this->world_.advance(refused.reset_after + TypeParam::kSlack);
  EXPECT_TRUE(this->world_.admit("own", 3).allowed);
}

REGISTER_TYPED_TEST_SUITE_P(RateLimiterContract, CountsEachKeyByItself, AKeyMayHaveALimitOfItsOwn,
                            SaysExactlyWhenToComeBack, NeverMoreThanTheLimitInAnyWindow);

}  // namespace infra::testing
