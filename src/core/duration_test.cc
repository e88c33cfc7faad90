// Whole numbers of durations agree with each other, and no duration that another program sends breaks them.
#include "core/duration.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>

namespace infra {
namespace {

TEST(Duration, MicrosecondsAreTheNearestAndMillisecondsThoseRoundedUp) {
  EXPECT_EQ(whole_us(12.3184), 12318);
  EXPECT_EQ(whole_ms(12.3184), 13);
  EXPECT_EQ(whole_us(0.001), 1);
  EXPECT_EQ(whole_ms(0.001), 1);
  EXPECT_EQ(whole_us(12), 12000);
  EXPECT_EQ(whole_ms(12), 12);
  EXPECT_EQ(whole_ms(12.0000001), 12) << "a sum's last bits are no time";
  EXPECT_EQ(whole_ms(0), 0);
}

TEST(Duration, WhatIsNoDurationIsZeroAndTheLongestDoesNotOverflow) {
  for (const double none : {-1.0, std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(whole_us(none), 0);
    EXPECT_EQ(whole_ms(none), 0);
  }
  for (const double long_one : {1e300, std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(whole_us(long_one), 9'000'000'000'000'000);
    EXPECT_EQ(whole_ms(long_one), 9'000'000'000'000);
  }
}

TEST(Duration, WholeMicrosecondsComeBackFromMilliseconds) {
  EXPECT_TRUE(rc::check([] {
    const auto us = *rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000'000);
    RC_ASSERT(whole_us(static_cast<double>(us) / 1000) == us);
  }));
}

}  // namespace
}  // namespace infra
