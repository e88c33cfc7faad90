// The simulated subscriber as the real one: what it hears, what it misses, and that it says so.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "platform/engines/redis/simulated_redis_subscriber.h"
#include "platform/engines/redis/step_world.h"

namespace infra::testing {
namespace {

using Messages = std::vector<std::pair<std::string, std::string>>;

class SimulatedSubscriberTest : public ::testing::Test {
 protected:
  SimulatedSubscriberTest() {
    ear_.start();
    world_.pass(milliseconds{0});
  }
  std::int64_t publish(const std::string& channel, const std::string& text) {
    const auto hearers = world_.redis->ask({"PUBLISH", channel, text}).integer;
    world_.pass(milliseconds{0});
    return hearers;
  }

  StepWorld world_;
  Messages heard_;
  int subscribed_ = 0;
  SimulatedRedisSubscriber ear_{
      *world_.redis,
      world_.clock,
      world_.executor,
      {.channels = {"one", "two"},
       .patterns = {"result:*"},
       .on_message = [this](std::string_view channel,
                            std::string text) { heard_.emplace_back(channel, std::move(text)); },
       .on_subscribed = [this] { ++subscribed_; }}};
};

TEST_F(SimulatedSubscriberTest, HearsChannelsAndPatternsInOrder) {
  EXPECT_TRUE(ear_.subscribed());
  EXPECT_EQ(subscribed_, 1);
  EXPECT_EQ(publish("one", "1"), 1);
  EXPECT_EQ(publish("elsewhere", "unheard"), 0);
  EXPECT_EQ(publish("result:42", ""), 1);
  EXPECT_EQ(publish("result", ""), 0);
  EXPECT_EQ(publish("two", "3"), 1);
  EXPECT_EQ(heard_, (Messages{{"one", "1"}, {"result:42", ""}, {"two", "3"}}));
}

TEST_F(SimulatedSubscriberTest, WhatIsSaidWhileItIsAwayIsLostAndItSaysWhenItIsBack) {
  world_.redis->kill();
  world_.pass(milliseconds{0});
  EXPECT_FALSE(ear_.subscribed());
  world_.redis->start();
  EXPECT_EQ(publish("one", "lost"), 0);
  world_.pass(milliseconds{1100});
  EXPECT_TRUE(ear_.subscribed());
  EXPECT_EQ(subscribed_, 2);
  publish("one", "heard");
  EXPECT_EQ(heard_, (Messages{{"one", "heard"}}));
}

TEST_F(SimulatedSubscriberTest, NoticesSilenceWithinTwoSeconds) {
  world_.redis->freeze();
  world_.pass(milliseconds{900});
  EXPECT_TRUE(ear_.subscribed());
  world_.pass(milliseconds{1200});
  EXPECT_FALSE(ear_.subscribed());
  world_.redis->thaw();
  world_.pass(milliseconds{2100});
  EXPECT_TRUE(ear_.subscribed());
  EXPECT_EQ(subscribed_, 2);
  EXPECT_EQ(publish("one", "again"), 1) << "the connection that was given up is gone";
}

TEST_F(SimulatedSubscriberTest, StaysWithAServerThatHasNothingToSayAndAShortFreeze) {
  world_.pass(milliseconds{3600});
  world_.redis->freeze();
  world_.pass(milliseconds{800});
  world_.redis->thaw();
  world_.pass(milliseconds{3600});
  EXPECT_EQ(subscribed_, 1);
}

TEST_F(SimulatedSubscriberTest, AMessageIsLostWithItsConnection) {
  world_.redis->set_options({.unheard = 1});
  publish("one", "lost");
  world_.redis->set_options({});
  world_.pass(milliseconds{100});
  publish("one", "heard");
  EXPECT_EQ(heard_, (Messages{{"one", "heard"}}));
  EXPECT_EQ(subscribed_, 2);
}

TEST_F(SimulatedSubscriberTest, WhatBreaksItsHearerCostsThatMessageAlone) {
  bool broken = false;
  SimulatedRedisSubscriber fragile(*world_.redis, world_.clock, world_.executor,
                                   {.channels = {"one"}, .on_message = [&](std::string_view, std::string) {
                                      if (!std::exchange(broken, true)) throw std::runtime_error("broken");
                                      heard_.emplace_back("fragile", "");
                                    }});
  fragile.start();
  world_.pass(milliseconds{0});
  EXPECT_EQ(publish("one", "1"), 2);
  EXPECT_EQ(publish("one", "2"), 2);
  EXPECT_EQ(heard_.size(), 3U);
}

TEST_F(SimulatedSubscriberTest, ACrashedProcessHearsNothing) {
  ear_.crash();
  publish("one", "unheard");
  world_.pass(milliseconds{3000});
  EXPECT_TRUE(heard_.empty());
  EXPECT_EQ(subscribed_, 1);
  EXPECT_FALSE(ear_.subscribed());
}

}  // namespace
}  // namespace infra::testing
