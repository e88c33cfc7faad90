// The simulated client as the real one: what it answers, when it waits, and when it gives up.
#include "platform/engines/redis/simulated_redis.h"

#include <gtest/gtest.h>

#include <vector>

#include "platform/engines/redis/step_world.h"

namespace infra::testing {
namespace {

using net::RedisReply;
using net::RedisScript;
using Reply = Result<RedisReply>;

void expect_unavailable(const Reply& reply) {
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::unavailable) << reply.error().message;
  EXPECT_EQ(reply.error().code, "redis_unavailable");
  EXPECT_EQ(reply.error().retry_after, std::chrono::seconds(1));
}

class SimulatedRedisTest : public ::testing::Test {
 protected:
  Reply ask(SimulatedRedisClient& client, net::RedisCommand command, milliseconds timeout = {}) {
    return world_.run(client.command(std::move(command), "", timeout));
  }
  // In the world's own time.
  milliseconds time_of(const std::function<void()>& work) {
    const auto began = world_.clock.steady_now();
    work();
    return std::chrono::duration_cast<milliseconds>(world_.clock.steady_now() - began);
  }

  StepWorld world_{{.history = milliseconds{60'000}}};
};

TEST_F(SimulatedRedisTest, AnswersAndRefuses) {
  const auto client = world_.client();
  EXPECT_TRUE(client->connected());
  EXPECT_EQ(ask(*client, {"SET", "key", "value"})->text, "OK");
  EXPECT_EQ(ask(*client, {"GET", "key"})->text, "value");
  EXPECT_TRUE(ask(*client, {"GET", "none"})->is_nil());
  const auto wrong = ask(*client, {"LLEN", "key"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, "redis_refused");
  EXPECT_EQ(wrong.error().kind, ErrorKind::internal);
  const RedisScript script("return {KEYS[1], ARGV[1]}");
  for (int round = 0; round < 2; ++round) {
    const auto reply = world_.run(client->eval(script, "k", {"v"}));
    ASSERT_TRUE(reply) << reply.error().message;
    ASSERT_EQ(reply->elements.size(), 2U);
    EXPECT_EQ(reply->elements[1].text, "v");
    world_.redis->restart();
    world_.pass(milliseconds{0});
  }
}

TEST_F(SimulatedRedisTest, WhatItDoesNotKnowEndsTheProgram) {
  EXPECT_DEATH(world_.redis->ask({"SUNION", "a"}), "does not know this: SUNION");
  EXPECT_DEATH(world_.redis->ask({"SET", "a", "b", "KEEPTTL"}), "KEEPTTL");
}

TEST_F(SimulatedRedisTest, CommandsTakeTimeAndKeepTheirOrder) {
  world_.redis->set_options({.least_latency = milliseconds{3}, .most_latency = milliseconds{20}});
  const auto client = world_.client();
  world_.pass(milliseconds{40});
  const auto took = time_of([&] { EXPECT_TRUE(ask(*client, {"PING"})); });
  EXPECT_GE(took, milliseconds{6});
  EXPECT_LE(took, milliseconds{41});
  std::vector<std::optional<Reply>> replies(50);
  for (std::size_t i = 0; i < replies.size(); ++i) {
    world_.begin(client->command({"RPUSH", "list", std::to_string(i)}, ""), replies[i]);
  }
  world_.pass(milliseconds{60});
  for (std::int64_t i = 0; i < 50; ++i) EXPECT_EQ(replies[static_cast<std::size_t>(i)].value()->integer, i + 1);
}

TEST_F(SimulatedRedisTest, CommandsWaitForTheFirstAttemptAndFailAtOnceAfterIt) {
  SimulatedRedisClient early(*world_.redis, world_.clock, world_.executor);
  std::optional<Reply> reply;
  world_.begin(early.command({"PING"}, ""), reply);
  EXPECT_FALSE(reply);
  early.start();
  world_.pass(milliseconds{0});
  EXPECT_TRUE(reply.value());
  world_.redis->kill();
  SimulatedRedisClient late(*world_.redis, world_.clock, world_.executor);
  late.start();
  expect_unavailable(ask(late, {"PING"}));
  EXPECT_EQ(time_of([&] { expect_unavailable(ask(late, {"PING"})); }), milliseconds{0});
  world_.redis->start();
  world_.pass(milliseconds{1000});
  EXPECT_TRUE(ask(late, {"PING"}));
}

TEST_F(SimulatedRedisTest, AKilledServerFailsFastAndIsFoundAgainEmpty) {
  const auto client = world_.client();
  ASSERT_TRUE(ask(*client, {"SET", "key", "value"}));
  world_.redis->kill();
  world_.pass(milliseconds{0});
  EXPECT_FALSE(client->connected());
  EXPECT_EQ(time_of([&] { expect_unavailable(ask(*client, {"GET", "key"})); }), milliseconds{0});
  world_.redis->start();
  world_.pass(milliseconds{1100});
  EXPECT_TRUE(client->connected());
  EXPECT_TRUE(ask(*client, {"GET", "key"})->is_nil());
}

TEST_F(SimulatedRedisTest, AFrozenServerCostsACommandItsTimeAndMayDoItLater) {
  const auto client = world_.client();
  world_.redis->freeze();
  EXPECT_EQ(time_of([&] { expect_unavailable(ask(*client, {"RPUSH", "list", "first"}, milliseconds{250})); }),
            milliseconds{250});
  EXPECT_TRUE(client->connected());
  EXPECT_EQ(time_of([&] { expect_unavailable(ask(*client, {"RPUSH", "list", "second"}, milliseconds{5000})); }),
            milliseconds{750})
      << "the connection is given up after a second of silence";
  EXPECT_FALSE(client->connected());
  world_.pass(milliseconds{3000});
  EXPECT_EQ(time_of([&] { expect_unavailable(ask(*client, {"RPUSH", "list", "third"})); }), milliseconds{0});
  EXPECT_EQ(world_.redis->ask({"LLEN", "list"}).integer, 0);
  world_.redis->thaw();
  EXPECT_EQ(world_.redis->ask({"LINDEX", "list", "1"}).text, "second");
  EXPECT_EQ(world_.redis->ask({"LLEN", "list"}).integer, 2);
  world_.pass(milliseconds{1100});
  EXPECT_EQ(ask(*client, {"LLEN", "list"})->integer, 2);
}

TEST_F(SimulatedRedisTest, AnIdleConnectionIsNotTakenForASilentOne) {
  const auto client = world_.client();
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(ask(*client, {"PING"}));
    world_.pass(milliseconds{999 + round});
    EXPECT_TRUE(client->connected());
  }
}

TEST_F(SimulatedRedisTest, AReplicaThatTakesOverLacksTheLastWrites) {
  const auto client = world_.client();
  ASSERT_TRUE(ask(*client, {"SET", "old", "1", "PX", "600000"}));
  ASSERT_TRUE(ask(*client, {"HSET", "hash", "a", "1"}));
  world_.pass(milliseconds{500});
  ASSERT_TRUE(ask(*client, {"SET", "old", "2"}));
  ASSERT_TRUE(ask(*client, {"HSET", "hash", "b", "2"}));
  ASSERT_TRUE(ask(*client, {"ZADD", "new", "1", "x"}));
  ASSERT_TRUE(ask(*client, {"DEL", "hash"}));
  world_.redis->fail_over(milliseconds{400}, milliseconds{2000});
  expect_unavailable(ask(*client, {"GET", "old"}));
  world_.pass(milliseconds{3100});
  EXPECT_EQ(ask(*client, {"GET", "old"})->text, "1");
  EXPECT_GT(ask(*client, {"PTTL", "old"})->integer, 590'000);
  EXPECT_EQ(ask(*client, {"HLEN", "hash"})->integer, 1);
  EXPECT_EQ(ask(*client, {"EXISTS", "new"})->integer, 0);
}

TEST_F(SimulatedRedisTest, TheServersClockIsItsOwn) {
  const auto seconds = [&] { return std::stoll(world_.redis->ask({"TIME"}).elements.at(0).text); };
  const auto began = seconds();
  world_.redis->ask({"SET", "key", "value", "PX", "1000"});
  world_.pass(milliseconds{1000});
  EXPECT_EQ(seconds() - began, 1);
  EXPECT_EQ(world_.redis->ask({"GET", "key"}).text, "value") << "its last instant included";
  world_.pass(milliseconds{1});
  EXPECT_TRUE(world_.redis->ask({"GET", "key"}).is_nil());
  world_.redis->jump(std::chrono::hours{-1});
  EXPECT_EQ(seconds() - began, 1 - 3600);
  world_.redis->set_options({.drift = 0.5});
  world_.pass(milliseconds{10'000});
  EXPECT_NEAR(static_cast<double>(seconds() - began), 1 - 3600 + 10 + 5.5, 1);
}

TEST_F(SimulatedRedisTest, AClientMayGoWhileItsCommandsWaitAndLeavesNothingBehind) {
  auto client = world_.client();
  world_.redis->freeze();
  std::optional<Reply> reply;
  world_.begin(client->command({"SET", "key", "value"}, ""), reply);
  client.reset();
  world_.pass(milliseconds{0});
  expect_unavailable(reply.value());
  world_.redis->thaw();
  world_.pass(milliseconds{0});
  EXPECT_EQ(world_.redis->ask({"GET", "key"}).text, "value");
  world_.redis.reset();
  world_.pass(milliseconds{0});
  EXPECT_EQ(world_.executor.running(), 0U);
}

}  // namespace
}  // namespace infra::testing
