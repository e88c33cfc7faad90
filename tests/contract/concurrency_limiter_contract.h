// What every ConcurrencyLimiter promises. Instantiate with a world type: limiter(), run(task) from any thread,
// advance(time), and kSlack (how far its clock moves by itself while a test looks away).
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/limits.h"
#include "ports/concurrency_limiter.h"
#include "support/manual_clock.h"
#include "support/run_task.h"

namespace infra::testing {

template <typename World>
class ConcurrencyLimiterContract : public ::testing::Test {
 protected:
  bool admit(const std::string& request, int most, const std::string& function = "f") {
    return said(world_.run(world_.limiter().admit({{function}, {request}}, most)));
  }
  bool enter(const std::string& request, int most, const std::string& function = "f") {
    return said(world_.run(world_.limiter().enter({{function}, {request}}, most)));
  }
  void renew(const std::string& request, bool running) {
    EXPECT_TRUE(world_.run(world_.limiter().renew({{"f"}, {request}}, running)));
  }
  void leave(const std::string& request) { EXPECT_TRUE(world_.run(world_.limiter().leave({{"f"}, {request}}))); }
  void withdraw(const std::string& request) { EXPECT_TRUE(world_.run(world_.limiter().withdraw({{"f"}, {request}}))); }
  void finish(const std::string& request) { EXPECT_TRUE(world_.run(world_.limiter().finish({{"f"}, {request}}))); }

  World world_;

 private:
  static bool said(const Result<bool>& answer) {
    EXPECT_TRUE(answer) << answer.error().message;
    return answer && *answer;
  }
};

TYPED_TEST_SUITE_P(ConcurrencyLimiterContract);

TYPED_TEST_P(ConcurrencyLimiterContract, EachFunctionHasItsOwnLimit) {
  EXPECT_TRUE(this->enter("a", 2));
  EXPECT_TRUE(this->enter("b", 2));
  EXPECT_FALSE(this->enter("c", 2));
  EXPECT_TRUE(this->enter("c", 2, "g"));
  EXPECT_TRUE(this->enter("c", 3));  // a raised limit counts at once
}

TYPED_TEST_P(ConcurrencyLimiterContract, ARunCountsOnceHoweverOftenItAsks) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(this->admit("a", 1));
    EXPECT_TRUE(this->enter("a", 1));
  }
  EXPECT_FALSE(this->enter("b", 1));
  this->leave("a");
  this->leave("a");
  EXPECT_TRUE(this->enter("b", 1));
  EXPECT_FALSE(this->enter("c", 1));
}

TYPED_TEST_P(ConcurrencyLimiterContract, RunningAndOutstandingAreCountedApart) {
  EXPECT_TRUE(this->admit("a", 2));
  EXPECT_TRUE(this->admit("b", 2));
  EXPECT_FALSE(this->admit("c", 2));
  EXPECT_TRUE(this->enter("a", 1));
  EXPECT_FALSE(this->enter("b", 1));
  this->leave("a");
  EXPECT_TRUE(this->enter("b", 1));
  EXPECT_FALSE(this->admit("c", 2)) << "who has left is outstanding still";
  this->finish("b");
  EXPECT_TRUE(this->enter("a", 1));
  EXPECT_TRUE(this->admit("c", 2));
}

TYPED_TEST_P(ConcurrencyLimiterContract, WhoWithdrawsTakesNoPlaceFromWhoRuns) {
  EXPECT_TRUE(this->admit("a", 1));
  EXPECT_TRUE(this->enter("a", 1));
  this->withdraw("a");
  EXPECT_FALSE(this->enter("b", 1)) << "it was handed out all the same, and runs";
  EXPECT_TRUE(this->admit("b", 1));
  this->withdraw("nobody");
  this->finish("a");
  EXPECT_TRUE(this->enter("b", 1));
}

TYPED_TEST_P(ConcurrencyLimiterContract, WhatNobodyRenewsIsForgotten) {
  EXPECT_TRUE(this->admit("a", 1));
  EXPECT_TRUE(this->enter("a", 1));
  this->world_.advance(limits::kVisibility - TypeParam::kSlack);
  EXPECT_FALSE(this->enter("b", 1));
  this->world_.advance(TypeParam::kSlack + milliseconds{1});
  EXPECT_TRUE(this->enter("b", 1));
  EXPECT_FALSE(this->admit("b", 1));
  this->world_.advance(ConcurrencyLimiter::kOutstandingFor);
  EXPECT_TRUE(this->admit("b", 1));
}

TYPED_TEST_P(ConcurrencyLimiterContract, WhatIsRenewedGoesOnCounting) {
  EXPECT_TRUE(this->admit("a", 1));
  EXPECT_TRUE(this->enter("a", 1));
  for (int i = 0; i < 40; ++i) {
    this->world_.advance(limits::kVisibilityRenewal);
    this->renew("a", true);
  }
  EXPECT_FALSE(this->enter("b", 1));
  EXPECT_FALSE(this->admit("b", 1));
  this->leave("a");
  this->renew("a", false);
  EXPECT_TRUE(this->enter("b", 1)) << "who only waits has no place among the running";
  EXPECT_FALSE(this->admit("b", 1));
}

// Where the engine has forgotten: who runs goes on running, whatever the limit says.
TYPED_TEST_P(ConcurrencyLimiterContract, RenewingCountsWhatWasNotCounted) {
  this->renew("a", true);
  this->renew("b", true);
  EXPECT_FALSE(this->enter("c", 1));
  EXPECT_FALSE(this->admit("c", 2));
  this->finish("a");
  this->finish("b");
  EXPECT_TRUE(this->enter("c", 1));
  EXPECT_TRUE(this->admit("c", 1));
}

TYPED_TEST_P(ConcurrencyLimiterContract, NeverMoreThanTheLimitAtOnce) {
  std::atomic<int> running = 0, most_seen = 0, entered = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 200; ++i) {
          const std::string request = std::to_string(t) + "-" + std::to_string(i);
          if (!this->enter(request, 2)) continue;
          ++entered;
          const int now = ++running;
          for (int seen = most_seen; now > seen && !most_seen.compare_exchange_weak(seen, now);) {
          }
          --running;
          this->finish(request);
        }
      });
    }
  }
  EXPECT_LE(most_seen, 2);
  EXPECT_GT(entered, 0);
}

REGISTER_TYPED_TEST_SUITE_P(ConcurrencyLimiterContract, EachFunctionHasItsOwnLimit, ARunCountsOnceHoweverOftenItAsks,
                            RunningAndOutstandingAreCountedApart, WhoWithdrawsTakesNoPlaceFromWhoRuns,
                            WhatNobodyRenewsIsForgotten, WhatIsRenewedGoesOnCounting, RenewingCountsWhatWasNotCounted,
                            NeverMoreThanTheLimitAtOnce);

}  // namespace infra::testing
