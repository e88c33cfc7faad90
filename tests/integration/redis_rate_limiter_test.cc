// The limiter's contract on a Redis, one window for several controllers, and what holds without it.
#include "adapters/redis/redis_rate_limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "adapters/system/system_clock.h"
#include "contract/rate_limiter_contract.h"
#include "core/mutex.h"
#include "integration/redis_world.h"
#include "support/metric_value.h"

namespace infra::testing {
namespace {

class OnRedis {
 public:
  static constexpr milliseconds kSlack = RedisWorld::kSlack;
  static constexpr int kRounds = 1000;

  explicit OnRedis(RatePolicy policy) : limiter_(world_.redis, policy, world_.clock, metrics_) {}
  RateDecision admit(const std::string& key) { return world_.run(limiter_.admit(key)); }
  RateDecision admit(const std::string& key, int limit) { return world_.run(limiter_.admit(key, limit)); }
  void advance(milliseconds step) {
    const MutexLock lock(moving_);
    ahead_at_most_ += step.count();
    world_.advance(step);
    ahead_at_least_ += step.count();
  }
  [[nodiscard]] SteadyTime before() const { return real() + milliseconds{ahead_at_least_.load()}; }
  [[nodiscard]] SteadyTime after() const { return real() + milliseconds{ahead_at_most_.load() + 2}; }

 private:
  static SteadyTime real() { return std::chrono::steady_clock::now(); }

  RedisWorld world_;
  Metrics metrics_;
  RedisRateLimiter limiter_;
  Mutex moving_;  // held while the time moves and both bounds with it
  std::atomic<std::int64_t> ahead_at_least_ = 0;
  std::atomic<std::int64_t> ahead_at_most_ = 0;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Redis, RateLimiterContract, OnRedis);

constexpr RatePolicy kPolicy{.limit = 50, .window = std::chrono::seconds{60}};

int let_through(RedisWorld& world, RateLimiter& limiter, int requests) {
  int allowed = 0;
  for (int i = 0; i < requests; ++i) allowed += world.run(limiter.admit("a")).allowed ? 1 : 0;
  return allowed;
}

TEST(RedisRateLimiter, ControllersShareOneWindow) {
  RedisWorld world;
  Metrics metrics;
  RedisRateLimiter one(world.redis, kPolicy, world.clock, metrics);
  RedisRateLimiter two(world.redis, kPolicy, world.clock, metrics);
  std::atomic<int> allowed = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] { allowed += let_through(world, t % 2 == 0 ? one : two, 40); });
    }
  }
  EXPECT_EQ(allowed, 50);
  world.advance(kPolicy.window + milliseconds{1});
  EXPECT_EQ(let_through(world, one, 30) + let_through(world, two, 30), 50);
}

TEST(RedisRateLimiter, WithRedisGoneTheOwnWindowHolds) {
  RedisWorld world;
  Metrics metrics;
  RedisRateLimiter limiter(world.redis, kPolicy, world.clock, metrics);
  EXPECT_EQ(let_through(world, limiter, 30), 30);
  EXPECT_EQ(metric_value(metrics, "rate_limiter_local_total"), 0);
  world.server.kill();
  world.eventually([&] { return !world.redis.connected(); });
  EXPECT_EQ(let_through(world, limiter, 60), 20);  // it has counted the 30 as well
  EXPECT_EQ(metric_value(metrics, "rate_limiter_local_total"), 60);
}

TEST(RedisRateLimiter, AnEmptiedRedisLetsNoMoreThrough) {
  RedisWorld world;
  Metrics metrics;
  RedisRateLimiter limiter(world.redis, kPolicy, world.clock, metrics);
  EXPECT_EQ(let_through(world, limiter, 30), 30);
  world.server.restart();
  world.eventually([&] { return world.redis.connected(); });
  EXPECT_EQ(let_through(world, limiter, 60), 20);
  EXPECT_EQ(metric_value(metrics, "rate_limiter_local_total"), 0);
}

TEST(RedisRateLimiter, WhatWasLetThroughAloneStillCountsWhenRedisIsBack) {
  RedisWorld world;
  Metrics metrics;
  RedisRateLimiter limiter(world.redis, kPolicy, world.clock, metrics);
  world.eventually([&] { return world.redis.connected(); });
  world.server.kill();
  world.eventually([&] { return !world.redis.connected(); });
  EXPECT_EQ(let_through(world, limiter, 40), 40);
  world.server.restart();
  world.eventually([&] { return world.redis.connected(); });
  EXPECT_EQ(let_through(world, limiter, 60), 10);
}

TEST(RedisRateLimiter, WhatRedisRefusesLeavesNoTraceHere) {
  RedisWorld world;
  Metrics metrics;
  RedisRateLimiter greedy(world.redis, kPolicy, world.clock, metrics);
  RedisRateLimiter limiter(world.redis, kPolicy, world.clock, metrics);
  EXPECT_EQ(let_through(world, greedy, 50), 50);
  EXPECT_EQ(let_through(world, limiter, 60), 0);
  world.advance(kPolicy.window + milliseconds{1});
  EXPECT_EQ(let_through(world, limiter, 50), 50);
}

TEST(RedisRateLimiter, AFrozenRedisCostsARequestAQuarterSecondAtMost) {
  RedisWorld world;
  Metrics metrics;
  RedisRateLimiter limiter(world.redis, kPolicy, world.clock, metrics);
  EXPECT_EQ(let_through(world, limiter, 1), 1);
  world.server.freeze();
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(let_through(world, limiter, 1), 1);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, milliseconds{1000});
  world.server.thaw();
}

TEST(RedisRateLimiter, TheKeyGoesWithItsWindow) {
  RedisWorld world;
  Metrics metrics;
  RedisRateLimiter limiter(world.redis, kPolicy, world.clock, metrics);
  EXPECT_EQ(let_through(world, limiter, 1), 1);
  EXPECT_EQ(world.ask({"EXISTS", "infra:rl:a"}), "1");
  world.advance(kPolicy.window + std::chrono::seconds{2});
  EXPECT_EQ(world.ask({"EXISTS", "infra:rl:a"}), "0");
}

}  // namespace
}  // namespace infra::testing
