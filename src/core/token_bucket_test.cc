#include "core/token_bucket.h"

#include <gtest/gtest.h>

namespace infra {
namespace {

using std::chrono::seconds;

TEST(TokenBucket, ABurstIsFreeAndThenTokensComeAtTheirPace) {
  TokenBucket bucket({.burst = 3, .interval = milliseconds(100)});
  const SteadyTime start{seconds(1)};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.take(start), start);
  EXPECT_EQ(bucket.take(start), start + milliseconds(100));
  EXPECT_EQ(bucket.take(start), start + milliseconds(200));
  EXPECT_EQ(bucket.take(start + milliseconds(250)), start + milliseconds(300));
}

TEST(TokenBucket, IdleTimeFillsItToTheBurstAndNoFurther) {
  TokenBucket bucket({.burst = 3, .interval = milliseconds(100)});
  SteadyTime now{};
  for (int i = 0; i < 3; ++i) (void)bucket.take(now);
  now += milliseconds(200);
  EXPECT_EQ(bucket.take(now), now);
  EXPECT_EQ(bucket.take(now), now);
  EXPECT_EQ(bucket.take(now), now + milliseconds(100));
  now += std::chrono::hours(1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.take(now), now);
  EXPECT_GT(bucket.take(now), now);
}

}  // namespace
}  // namespace infra
