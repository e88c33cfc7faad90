// What every RateLimiter promises. Instantiate with a factory type: make(policy, clock); Redis keeps its own time, so
// its factory moves the server's.
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
#include "support/offload_inline.h"
#include "support/run_task.h"

namespace infra::testing {

template <typename Factory>
class RateLimiterContract : public ::testing::Test {
 protected:
  static constexpr RatePolicy kPolicy{.limit = 100, .window = std::chrono::seconds{60}};
  HandClock clock_;
  std::unique_ptr<RateLimiter> limiter_ = Factory::make(kPolicy, clock_);

  RateDecision admit(const std::string& key) { return run_task(limiter_->admit(key)); }
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
  this->clock_.advance(std::chrono::seconds{20});
  const RateDecision refused = this->admit("a");
  ASSERT_FALSE(refused.allowed);
  EXPECT_EQ(refused.remaining, 0);
  this->clock_.advance(refused.reset_after - milliseconds{1});
  EXPECT_FALSE(this->admit("a").allowed);
  this->clock_.advance(milliseconds{1});
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
      for (int i = 0; i < 8000; ++i) {
        const std::string key = "key-" + std::to_string(random() % kKeys);
        const SteadyTime before = this->clock_.steady_now();
        const bool allowed = this->admit(key).allowed;
        if (allowed) mine[key].push_back({before, this->clock_.steady_now()});
        if (random() % 4 == 0) this->clock_.advance(milliseconds{random() % 50});
        if (random() % 2000 == 0) this->clock_.advance(std::chrono::seconds{30});
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

REGISTER_TYPED_TEST_SUITE_P(RateLimiterContract, CountsEachKeyByItself, SaysExactlyWhenToComeBack,
                            NeverMoreThanTheLimitInAnyWindow);

}  // namespace infra::testing
