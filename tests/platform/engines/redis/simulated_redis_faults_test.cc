// Each fault happens under its option, and no other; what a caller is told of it is what a real Redis leaves it with.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "platform/engines/redis/step_world.h"

namespace infra::testing {
namespace {

using Reply = Result<net::RedisReply>;

class SimulatedRedisFaultsTest : public ::testing::Test {
 protected:
  static Reply ask(StepWorld& world, SimulatedRedisClient& client, net::RedisCommand command,
                   milliseconds timeout = {}) {
    return world.run(client.command(std::move(command), "", timeout));
  }
  static std::int64_t length(StepWorld& world) { return world.redis->ask({"LLEN", "list"}).integer; }
};

TEST_F(SimulatedRedisFaultsTest, AConnectionBreaksBeforeACommandOrAfterIt) {
  for (const bool applied : {false, true}) {
    StepWorld world;
    const auto client = world.client();
    world.redis->set_options({.lost_unapplied = applied ? 0.0 : 1.0, .lost_applied = applied ? 1.0 : 0.0});
    const auto reply = ask(world, *client, {"RPUSH", "list", "x"});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().kind, ErrorKind::unavailable);
    EXPECT_EQ(length(world), applied ? 1 : 0);
    world.redis->set_options({});
    EXPECT_EQ(ask(world, *client, {"RPUSH", "list", "x"})->integer, applied ? 2 : 1) << "found again at once";
  }
}

TEST_F(SimulatedRedisFaultsTest, ABreakLosesTheAnswersThatAreUnderWayAndTheCommands) {
  StepWorld world;
  world.redis->set_options({.least_latency = milliseconds{10}, .most_latency = milliseconds{10}});
  const auto client = world.client();
  world.pass(milliseconds{30});
  std::optional<Reply> arrived;
  std::optional<Reply> not_arrived;
  world.begin(client->command({"RPUSH", "list", "arrived"}, ""), arrived);
  world.pass(milliseconds{8});
  world.begin(client->command({"RPUSH", "list", "not arrived"}, ""), not_arrived);
  world.pass(milliseconds{5});
  world.redis->break_connections();
  world.pass(milliseconds{20});
  EXPECT_FALSE(arrived.value());
  EXPECT_FALSE(not_arrived.value());
  EXPECT_EQ(length(world), 1);
}

TEST_F(SimulatedRedisFaultsTest, ACommandThatIsHeldUpMayComeAfterWhatWasSaidLater) {
  StepWorld world;
  const auto client = world.client();
  world.redis->set_options({.held_up = 1, .held_up_for = milliseconds{60'000}});
  EXPECT_FALSE(ask(world, *client, {"RPUSH", "list", "held up"}));
  world.redis->set_options({});
  world.pass(milliseconds{100});
  ASSERT_TRUE(ask(world, *client, {"RPUSH", "list", "later"}));
  EXPECT_EQ(length(world), 1);
  world.pass(milliseconds{60'000});
  EXPECT_EQ(world.redis->ask({"LINDEX", "list", "0"}).text, "later");
  EXPECT_EQ(world.redis->ask({"LINDEX", "list", "1"}).text, "held up");
}

TEST_F(SimulatedRedisFaultsTest, AServerThatCannotServeNowDoesNothing) {
  StepWorld world;
  const auto client = world.client();
  world.redis->set_options({.not_now = 1});
  for (int i = 0; i < 20; ++i) {
    const auto reply = ask(world, *client, {"RPUSH", "list", "x"});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, "redis_unavailable");
  }
  EXPECT_EQ(length(world), 0);
}

TEST_F(SimulatedRedisFaultsTest, AFreezeOfTheSeedsEndsByItselfAndTheCommandIsDoneThen) {
  StepWorld world;
  const auto client = world.client();
  world.redis->set_options({.frozen = 1, .frozen_for = milliseconds{600}});
  std::optional<Reply> reply;
  world.begin(client->command({"RPUSH", "list", "x"}, "", milliseconds{1}), reply);
  world.pass(milliseconds{0});
  EXPECT_TRUE(world.redis->is_frozen());
  world.redis->set_options({});
  world.pass(milliseconds{600});
  EXPECT_FALSE(world.redis->is_frozen());
  EXPECT_EQ(length(world), 1);
}

TEST_F(SimulatedRedisFaultsTest, EmptiedFailedOverAndJumpedByTheSeed) {
  StepWorld world({.history = milliseconds{1000}});
  const auto client = world.client();
  world.redis->ask({"SET", "key", "value"});
  world.redis->set_options({.history = milliseconds{1000}, .failed_over = 1, .failed_over_away_for = milliseconds{50}});
  EXPECT_FALSE(ask(world, *client, {"PING"}));
  world.redis->set_options({.jumped = 1, .jumped_by = std::chrono::hours{1}});
  world.pass(milliseconds{1100});
  ASSERT_TRUE(world.redis->is_up());
  std::set<std::string> times;
  for (int i = 0; i < 5; ++i) times.insert(ask(world, *client, {"TIME"})->elements.at(0).text);
  EXPECT_EQ(times.size(), 5U);
  world.redis->ask({"SET", "key", "value"});
  world.redis->set_options({.emptied = 1});
  EXPECT_FALSE(ask(world, *client, {"PING"}));
  EXPECT_TRUE(world.redis->is_up());
  EXPECT_TRUE(world.redis->ask({"GET", "key"}).is_nil());
}

// What the kernel had sent is done, and nothing behind it.
TEST_F(SimulatedRedisFaultsTest, OfACrashedProcessCommandsAFirstPartIsDone) {
  std::set<std::int64_t> lengths;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    StepWorld world({.least_latency = milliseconds{5}, .most_latency = milliseconds{5}}, seed);
    const auto client = world.client();
    world.pass(milliseconds{20});
    std::vector<std::optional<Reply>> replies(4);
    for (std::size_t i = 0; i < replies.size(); ++i) {
      world.begin(client->command({"RPUSH", "list", std::to_string(i)}, ""), replies[i]);
    }
    client->crash();
    EXPECT_FALSE(ask(world, *client, {"RPUSH", "list", "after"}));
    world.pass(milliseconds{20});
    const auto done = length(world);
    lengths.insert(done);
    for (std::int64_t i = 0; i < done; ++i) {
      EXPECT_EQ(world.redis->ask({"LINDEX", "list", std::to_string(i)}).text, std::to_string(i));
    }
    for (const auto& reply : replies) EXPECT_FALSE(reply) << "it was told";
    EXPECT_FALSE(client->connected());
  }
  EXPECT_GT(lengths.size(), 2U);
  EXPECT_TRUE(lengths.contains(0));
}

std::vector<std::string> trace(std::uint64_t seed) {
  StepWorld world({.least_latency = microseconds{200},
                   .most_latency = milliseconds{30},
                   .history = milliseconds{1000},
                   .held_up = 0.02,
                   .lost_unapplied = 0.05,
                   .lost_applied = 0.05,
                   .not_now = 0.02,
                   .frozen = 0.01,
                   .emptied = 0.01,
                   .failed_over = 0.01,
                   .jumped = 0.01,
                   .unheard = 0.1},
                  seed);
  const auto one = world.client();
  const auto two = world.client();
  std::vector<std::string> lines;
  for (int i = 0; i < 200; ++i) {
    auto& client = i % 3 == 0 ? *one : *two;
    const auto reply = world.run(client.command({"RPUSH", "list", std::to_string(i)}, ""));
    lines.push_back(std::to_string(world.clock.steady_now().time_since_epoch().count()) + " " +
                    (reply ? std::to_string(reply->integer) : reply.error().message));
  }
  return lines;
}

TEST_F(SimulatedRedisFaultsTest, ASeedRepeatsItself) {
  EXPECT_EQ(trace(7), trace(7));
  EXPECT_NE(trace(7), trace(8));
}

}  // namespace
}  // namespace infra::testing
