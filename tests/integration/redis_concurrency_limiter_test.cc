// The concurrency limiter's contract on a Redis, and what it leaves there.
#include "adapters/redis/redis_concurrency_limiter.h"

#include <gtest/gtest.h>

#include "contract/concurrency_limiter_contract.h"
#include "integration/redis_world.h"

namespace infra::testing {
namespace {

class OnRedis : public RedisWorld {
 public:
  ConcurrencyLimiter& limiter() { return limiter_; }

 private:
  RedisConcurrencyLimiter limiter_{redis};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Redis, ConcurrencyLimiterContract, OnRedis);

const LimitedRun kRun{.function = {"f"}, .request = {"a"}};

TEST(RedisConcurrencyLimiter, FinishedOrForgottenRunsLeaveNoKey) {
  OnRedis world;
  ASSERT_TRUE(world.run(world.limiter().admit(kRun, 1)));
  ASSERT_TRUE(world.run(world.limiter().enter(kRun, 1)));
  EXPECT_EQ(world.ask({"EXISTS", "infra:outstanding:f", "infra:running:f"}), "2");
  ASSERT_TRUE(world.run(world.limiter().finish(kRun)));
  EXPECT_EQ(world.ask({"EXISTS", "infra:outstanding:f", "infra:running:f"}), "0");
  ASSERT_TRUE(world.run(world.limiter().enter(kRun, 1)));
  world.advance(limits::kVisibility + std::chrono::seconds{1});
  EXPECT_EQ(world.ask({"EXISTS", "infra:running:f"}), "0");
}

TEST(RedisConcurrencyLimiter, ProgramsShareOneCount) {
  OnRedis world;
  RedisConcurrencyLimiter other(world.redis);
  EXPECT_TRUE(world.run(world.limiter().enter(kRun, 1)).value());
  EXPECT_FALSE(world.run(other.enter({{"f"}, {"b"}}, 1)).value());
  EXPECT_TRUE(world.run(other.leave(kRun)));
  EXPECT_TRUE(world.run(other.enter({{"f"}, {"b"}}, 1)).value());
}

TEST(RedisConcurrencyLimiter, SaysThatRedisIsAway) {
  OnRedis world;
  ASSERT_TRUE(world.run(world.limiter().enter(kRun, 1)));
  world.server.kill();
  world.eventually([&] { return !world.redis.connected(); });
  const auto entered = world.run(world.limiter().enter(kRun, 1));
  ASSERT_FALSE(entered);
  EXPECT_EQ(entered.error().kind, ErrorKind::unavailable);
  EXPECT_FALSE(world.run(world.limiter().admit(kRun, 1)));
  EXPECT_FALSE(world.run(world.limiter().renew(kRun, true)));
  EXPECT_FALSE(world.run(world.limiter().finish(kRun)));
}

}  // namespace
}  // namespace infra::testing
