// A fleet's quarantines on a Redis: counted by its clock, and known to every program that looks.
#include "adapters/redis/redis_quarantine.h"

#include <gtest/gtest.h>

#include "contract/job_queue_contract.h"
#include "integration/redis_world.h"

namespace infra::testing {
namespace {

class RedisQuarantineTest : public ::testing::Test {
 protected:
  RedisQuarantineTest() {
    RedisWorld::eventually([&] { return world_.redis.connected(); });
  }
  ~RedisQuarantineTest() override { world_.loops.stop(); }

  void lose(const std::string& request) {
    Job job = make_job(request);
    job.code = code_;
    world_.run_void(worker_.note_lost(job));
  }
  std::optional<milliseconds> seen(RedisQuarantine& by) {
    world_.run_void(by.look());
    return by.remaining({"fn-1"}, code_);
  }

  RedisWorld world_;
  CodeRef code_{.key = "functions/fn-1/1.zip", .sha256 = std::string(64, 'a')};
  RedisQuarantine worker_{world_.redis, world_.clock};
  RedisQuarantine controller_{world_.redis, world_.clock};
};

TEST_F(RedisQuarantineTest, TheThirdLostJobOfAVersionIsKnownEverywhereForAnHour) {
  for (const char* request : {"1", "2", "2"}) lose(request);  // a job that is given up twice is one
  EXPECT_FALSE(seen(controller_));
  lose("3");
  EXPECT_EQ(worker_.remaining({"fn-1"}, code_), limits::kQuarantine);
  const auto left = seen(controller_);
  ASSERT_TRUE(left);
  EXPECT_GT(*left, limits::kQuarantine - RedisWorld::kSlack);
  EXPECT_FALSE(controller_.remaining({"fn-1"}, {.key = code_.key, .sha256 = "new"}));
  EXPECT_FALSE(controller_.remaining({"fn-2"}, code_));
  world_.advance(limits::kQuarantine);
  EXPECT_FALSE(controller_.remaining({"fn-1"}, code_));
  EXPECT_FALSE(seen(controller_));
  EXPECT_EQ(world_.ask({"EXISTS", "infra:quarantine"}), "0");
}

TEST_F(RedisQuarantineTest, LostJobsOfMoreThanAnHourAgoDoNotCount) {
  for (int i = 1; i <= 4; ++i) {
    lose(std::to_string(i));
    EXPECT_FALSE(seen(controller_)) << i;
    world_.advance(std::chrono::minutes{31});
  }
}

TEST_F(RedisQuarantineTest, WithoutRedisWhatWasKnownHolds) {
  for (const char* request : {"1", "2", "3"}) lose(request);
  ASSERT_TRUE(seen(controller_));
  world_.server.kill();
  RedisWorld::eventually([&] { return !world_.redis.connected(); });
  EXPECT_TRUE(seen(controller_));
}

}  // namespace
}  // namespace infra::testing
