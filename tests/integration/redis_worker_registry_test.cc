// The registry's contract on a Redis, and the reference platform's workers in it.
#include "adapters/redis/redis_worker_registry.h"

#include <gtest/gtest.h>

#include "contract/worker_registry_contract.h"
#include "integration/redis_world.h"

namespace infra::testing {
namespace {

struct OnRedis {
  Result<void> record(const Heartbeat& heartbeat) { return world.run(registry.record(heartbeat)); }
  Result<std::vector<Heartbeat>> list() { return world.run(registry.list()); }

  void advance(milliseconds step) { world.advance(step); }

  static constexpr milliseconds slack = RedisWorld::kSlack;
  RedisWorld world;
  ManualClock& clock = world.clock;
  RedisWorkerRegistry registry{world.redis, clock};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Redis, WorkerRegistryContract, OnRedis);

Heartbeat beat(const std::string& id, WallTime at) {
  return {.worker_id = {id}, .pools = {{"python", 1}}, .uptime_seconds = 1.5, .timestamp = "t", .received_at = at};
}

TEST(RedisWorkerRegistry, EveryControllerSeesEveryWorker) {
  OnRedis one;
  RedisWorkerRegistry other(one.world.redis, one.clock);
  ASSERT_TRUE(one.record(beat("w-1", one.clock.now())));
  const auto seen = one.world.run(other.list()).value();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].status, "healthy");
  EXPECT_EQ(seen[0].uptime_seconds, 1.5);
  EXPECT_EQ(seen[0].timestamp, "t");
}

// Two machines' clocks are never compared: who lives is told by Redis' clock, and when it was heard of by one's own.
TEST(RedisWorkerRegistry, AClockThatIsOffHidesNobodyAndKeepsNobodyAlive) {
  OnRedis engine;
  ManualClock late;
  late.advance(std::chrono::hours{48});
  RedisWorkerRegistry ahead(engine.world.redis, late);
  ASSERT_TRUE(engine.record(beat("w-1", engine.clock.now())));
  ASSERT_TRUE(engine.world.run(ahead.record(beat("w-2", late.now()))));
  for (auto* registry : {&engine.registry, &ahead}) {
    const WallTime now = registry == &ahead ? late.now() : engine.clock.now();
    const auto seen = engine.world.run(registry->list()).value();
    ASSERT_EQ(seen.size(), 2U);
    for (const auto& worker : seen) {
      EXPECT_LE(worker.received_at, now);
      EXPECT_GT(worker.received_at, now - RedisWorld::kSlack);
    }
  }
  engine.world.server.advance(std::chrono::seconds{31});  // and nobody's own clock
  EXPECT_TRUE(engine.list().value().empty());
}

TEST(RedisWorkerRegistry, AReferenceWorkerIsListedWhileItSaysSo) {
  OnRedis engine;
  EXPECT_FALSE(engine.registry.reference_worker_alive());
  ASSERT_TRUE(engine.record(beat("w-1", engine.clock.now())));
  engine.world.ask(
      {"SET", "system:status",
       R"({"worker_id":"old-7","pools":{"python":3},"active_jobs":2,"uptime_seconds":7,"timestamp":1700000000.5})",
       "EX", "10"});
  const auto seen = engine.list().value();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].worker_id.value, "old-7");
  EXPECT_EQ(seen[0].pools.at("python"), 3);
  EXPECT_EQ(seen[0].active_jobs, 2);
  EXPECT_TRUE(engine.registry.reference_worker_alive());
  engine.world.server.advance(std::chrono::seconds{11});
  EXPECT_EQ(engine.list().value().size(), 1U);
  EXPECT_FALSE(engine.registry.reference_worker_alive());
}

TEST(RedisWorkerRegistry, AReferenceWorkerThatWritesNoStatusIsThereForFiveMinutesAfterItWasHeardOf) {
  OnRedis engine;
  auto& clock = engine.world.clock;
  RedisWorkerRegistry registry(engine.world.redis, clock);
  registry.note_reference_worker();
  EXPECT_TRUE(registry.reference_worker_alive());
  clock.advance(std::chrono::minutes{4});
  EXPECT_TRUE(registry.reference_worker_alive());
  registry.note_reference_worker();
  clock.advance(std::chrono::minutes{4});
  EXPECT_TRUE(registry.reference_worker_alive());
  clock.advance(std::chrono::minutes{1});
  EXPECT_FALSE(registry.reference_worker_alive());
}

TEST(RedisWorkerRegistry, WhatCannotBeReadIsForgottenAndAnAbsentRedisIsSaid) {
  OnRedis engine;
  engine.world.ask({"HSET", "infra:workers", "broken", "no json"});
  EXPECT_TRUE(engine.list().value().empty());
  EXPECT_EQ(engine.world.ask({"HLEN", "infra:workers"}), "0");
  engine.world.server.kill();
  EXPECT_EQ(engine.list().error().kind, ErrorKind::unavailable);
}

}  // namespace
}  // namespace infra::testing
