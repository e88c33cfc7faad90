// Events of a fleet on a Redis: published while somebody listens somewhere, in order, and not otherwise.
#include "adapters/redis/redis_events.h"

#include <gtest/gtest.h>

#include <memory>

#include "integration/redis_world.h"
#include "support/metric_value.h"

namespace infra::testing {
namespace {

class Listeners final : public LiveEvents {
 public:
  void come() { want(true); }
  void leave() { want(false); }
  void tell(LiveEvent) override {}
};

class RedisEventsTest : public ::testing::Test {
 protected:
  RedisEventsTest() {
    RedisWorld::eventually([&] { return world_.redis.connected(); });
  }
  ~RedisEventsTest() override { world_.loops.stop(); }

  bool wanted(RedisEvents& by) {
    world_.run_void(by.look());
    return by.is_wanted();
  }

  RedisWorld world_;
  Listeners here_;
  Metrics metrics_;
  RedisEvents controller_{world_.redis, world_.clock, world_.executor, metrics_, &here_};
  RedisEvents other_controller_{world_.redis, world_.clock, world_.executor, metrics_, nullptr};
  RedisEvents worker_{world_.redis, world_.clock, world_.executor, metrics_, nullptr};
};

TEST_F(RedisEventsTest, AListenerAtOneControllerIsKnownEverywhereAndForgottenInTime) {
  EXPECT_FALSE(wanted(controller_));
  EXPECT_FALSE(wanted(worker_));
  here_.come();
  EXPECT_TRUE(wanted(controller_));
  EXPECT_TRUE(wanted(worker_));
  EXPECT_TRUE(wanted(other_controller_));
  here_.leave();
  world_.advance(RedisEvents::kWantedFor + RedisWorld::kSlack);
  EXPECT_FALSE(wanted(worker_));
  EXPECT_FALSE(wanted(controller_));
}

TEST_F(RedisEventsTest, WithoutRedisNothingIsWantedOfAWorker) {
  here_.come();
  EXPECT_TRUE(wanted(controller_));
  EXPECT_TRUE(wanted(worker_));
  world_.server.kill();
  RedisWorld::eventually([&] { return !world_.redis.connected(); });
  EXPECT_FALSE(wanted(worker_));
}

TEST_F(RedisEventsTest, WhatCannotBePublishedIsCounted) {
  const auto dropped = [&] { return metric_value(metrics_, "live_events_dropped_total"); };
  world_.server.kill();
  RedisWorld::eventually([&] { return !world_.redis.connected(); });
  worker_.tell({.kind = EventKind::run, .function = {"f"}, .data = "{}"});
  RedisWorld::eventually([&] { return dropped() == 1; });
  worker_.tell({.kind = EventKind::log, .function = {"f"}, .data = std::string(2 * RedisEvents::kMaxBytes, 'x')});
  EXPECT_EQ(dropped(), 2) << "it is more than may wait";
}

}  // namespace
}  // namespace infra::testing
