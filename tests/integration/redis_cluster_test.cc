// The client on a real cluster of three: keys of every slot through any server, and slots and servers that go.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "integration/redis_fixture.h"
#include "net/redis/hiredis_subscriber.h"
#include "net/redis/redis_slots.h"
#include "support/redis_control.h"
#include "support/redis_server.h"

namespace infra::net {
namespace {

using infra::testing::RedisCluster;
using infra::testing::RedisControl;

// Of a fresh RedisCluster: the slots are shared out in order.
std::size_t owner_of(std::uint16_t slot) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (slot < 16384 * (i + 1) / 3) return i;
  }
  return 2;
}

std::vector<std::string> a_key_for_each_slot() {
  std::vector<std::string> keys(kRedisSlots);
  std::size_t left = keys.size();
  for (int i = 0; left > 0; ++i) {
    std::string key = "key-" + std::to_string(i);
    std::string& place = keys[redis_slot(key)];
    if (!place.empty()) continue;
    place = std::move(key);
    --left;
  }
  return keys;
}

class ClusterFixture : public RedisFixture {
 protected:
  explicit ClusterFixture(RedisCluster& cluster) : cluster_(cluster) {}
  std::unique_ptr<HiredisClient> client_of(std::size_t node) {
    auto client = std::make_unique<HiredisClient>(loops_, cluster_.node(node).options());
    client->start();
    return client;
  }
  RedisControl line(std::size_t node) { return RedisControl(cluster_.node(node).port()); }
  std::string id_of(std::size_t node) { return line(node).ask_one({"CLUSTER", "MYID"}); }
  std::string keys_in(std::size_t node, const std::string& slot) {
    return line(node).ask_one({"CLUSTER", "COUNTKEYSINSLOT", slot});
  }
  // How many commands it has sent elsewhere.
  std::string moved_by(std::size_t node) {
    const std::string stats = line(node).ask_one({"INFO", "errorstats"});
    const auto at = stats.find("errorstat_MOVED:");
    return at == std::string::npos ? "none" : stats.substr(at, stats.find('\r', at) - at);
  }

  RedisCluster& cluster_;
};

// Those that leave its slots and servers as they were share one, which takes seconds to come together; it is empty.
class RedisClusterTest : public ClusterFixture {
 protected:
  RedisClusterTest() : ClusterFixture(shared()) {
    for (std::size_t node = 0; node < 3; ++node) line(node).ask({"FLUSHALL"});
  }
  static void TearDownTestSuite() { kept_.reset(); }

 private:
  static RedisCluster& shared() {
    if (!kept_) kept_ = std::make_unique<RedisCluster>();
    return *kept_;
  }
  static inline std::unique_ptr<RedisCluster> kept_;
};

struct OwnCluster {
  RedisCluster own_;
};
class ChangedRedisClusterTest : private OwnCluster, public ClusterFixture {
 protected:
  ChangedRedisClusterTest() : ClusterFixture(own_) {}
};

TEST_F(RedisClusterTest, EveryKeyIsReachedThroughAnyServer) {
  const auto keys = a_key_for_each_slot();
  const auto writer = client_of(0);
  for (const auto& reply :
       ask_many(*writer, keys.size(), 200, [&](std::size_t i) { return RedisCommand{"SET", keys[i], keys[i]}; })) {
    ASSERT_TRUE(reply) << reply.error().message;
  }
  int stored = 0;
  for (std::size_t node = 0; node < 3; ++node) stored += std::stoi(line(node).ask_one({"DBSIZE"}));
  EXPECT_EQ(stored, 16384);
  for (std::size_t node = 1; node < 3; ++node) {
    const auto reader = client_of(node);
    const auto replies =
        ask_many(*reader, keys.size(), 200, [&](std::size_t i) { return RedisCommand{"GET", keys[i]}; });
    for (std::size_t i = 0; i < keys.size(); ++i) {
      ASSERT_TRUE(replies[i]) << replies[i].error().message;
      ASSERT_EQ(replies[i]->text, keys[i]);
    }
  }
}

TEST_F(RedisClusterTest, TheMapIsLearntAtTheFirstRedirection) {
  const auto client = client_of(0);
  const auto keys = a_key_for_each_slot();
  ASSERT_TRUE(ask(*client, {"GET", keys[16383]}));  // moved, from the first server to the last
  ASSERT_TRUE(eventually([&] {
    const std::string before = moved_by(0);
    EXPECT_TRUE(ask(*client, {"GET", keys[8000]}));
    return moved_by(0) == before;
  }));
  const std::string before = moved_by(0);
  for (const auto& reply :
       ask_many(*client, keys.size(), 100, [&](std::size_t i) { return RedisCommand{"GET", keys[i]}; })) {
    ASSERT_TRUE(reply) << reply.error().message;
  }
  EXPECT_EQ(moved_by(0), before);
}

TEST_F(RedisClusterTest, ScriptsRunWhereTheirKeyIs) {
  const auto client = client_of(0);
  const RedisScript script("return redis.call('INCR', KEYS[1])");
  for (const std::string key : {"a", "b", "c", "d", "e", "f"}) {
    for (int round = 1; round <= 3; ++round) {
      const auto reply = eval(*client, script, key);
      ASSERT_TRUE(reply) << reply.error().message;
      EXPECT_EQ(reply->integer, round);
    }
  }
}

TEST_F(ChangedRedisClusterTest, AMigratingSlotIsFollowedAskByAskAndThenForGood) {
  const std::uint16_t number = redis_slot("{m}");
  const std::string slot = std::to_string(number);
  const std::size_t from = owner_of(number);
  const std::size_t to = (from + 1) % 3;
  const auto client = client_of(from);
  ASSERT_TRUE(ask(*client, {"SET", "{m}old", "a"}));

  line(to).ask({"CLUSTER", "SETSLOT", slot, "IMPORTING", id_of(from)});
  line(from).ask({"CLUSTER", "SETSLOT", slot, "MIGRATING", id_of(to)});
  ASSERT_TRUE(ask(*client, {"SET", "{m}new", "b"})) << "ASK was not followed";
  EXPECT_EQ(keys_in(to, slot), "1");
  EXPECT_EQ(text_of(*client, {"GET", "{m}new"}), "b");
  EXPECT_EQ(text_of(*client, {"GET", "{m}old"}), "a");
  expect_unavailable(ask(*client, {"MGET", "{m}old", "{m}new"}));  // TRYAGAIN: neither has both
  line(from).ask({"MIGRATE", "127.0.0.1", std::to_string(cluster_.node(to).port()), "{m}old", "0", "1000"});
  EXPECT_EQ(text_of(*client, {"GET", "{m}old"}), "a");
  EXPECT_EQ(ask(*client, {"MGET", "{m}old", "{m}new"})->elements.size(), 2U);

  const std::string new_owner = id_of(to);
  for (const std::size_t node : {to, from, 3 - from - to}) {
    line(node).ask({"CLUSTER", "SETSLOT", slot, "NODE", new_owner});
  }
  EXPECT_EQ(text_of(*client, {"GET", "{m}old"}), "a") << "MOVED was not followed";
  EXPECT_TRUE(eventually([&] {  // a map that was asked for before the move may come in behind it
    const std::string before = moved_by(from);
    EXPECT_EQ(text_of(*client, {"GET", "{m}new"}), "b");
    return moved_by(from) == before;
  })) << "MOVED was forgotten";
}

TEST_F(ChangedRedisClusterTest, TryAgainIsTriedAgain) {
  const std::uint16_t number = redis_slot("{t}");
  const std::string slot = std::to_string(number);
  const std::size_t from = owner_of(number);
  const std::size_t to = (from + 1) % 3;
  const auto client = client_of(from);
  ASSERT_TRUE(ask(*client, {"SET", "{t}old", "a"}));
  line(to).ask({"CLUSTER", "SETSLOT", slot, "IMPORTING", id_of(from)});
  line(from).ask({"CLUSTER", "SETSLOT", slot, "MIGRATING", id_of(to)});
  ASSERT_TRUE(ask(*client, {"SET", "{t}new", "b"}));
  std::thread migration([&] {
    EXPECT_TRUE(eventually([&] { return line(from).ask_one({"INFO", "errorstats"}).contains("errorstat_TRYAGAIN"); }));
    line(from).ask({"MIGRATE", "127.0.0.1", std::to_string(cluster_.node(to).port()), "{t}old", "0", "1000"});
  });
  const auto both = ask(*client, {"MGET", "{t}old", "{t}new"});
  migration.join();
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_EQ(both->elements.at(0).text, "a");
  EXPECT_EQ(both->elements.at(1).text, "b");
}

TEST_F(RedisClusterTest, WhatIsPublishedOnOneServerIsHeardOnAnother) {
  std::latch subscribed(1);
  std::latch heard(1);
  std::string said;
  HiredisSubscriber subscriber(loops_, cluster_.node(0).options(),
                               {.channels = {"news"},
                                .patterns = {},
                                .on_message =
                                    [&](std::string_view, std::string payload) {
                                      said = std::move(payload);
                                      heard.count_down();
                                    },
                                .on_subscribed = [&] { subscribed.count_down(); }});
  subscriber.start();
  subscribed.wait();
  const auto client = client_of(2);
  ASSERT_TRUE(ask_for(*client, {"PUBLISH", "news", "hello"}, ""));
  heard.wait();
  EXPECT_EQ(said, "hello");
}

TEST_F(ChangedRedisClusterTest, WithOneServerGoneTheOthersKeysGoOn) {
  const auto keys = a_key_for_each_slot();
  const auto client = client_of(0);
  for (const std::size_t slot : {100U, 8000U, 16000U}) ASSERT_TRUE(ask(*client, {"SET", keys[slot], "x"}));
  cluster_.node(0).kill();  // the one that the client was told of
  ASSERT_TRUE(eventually([&] { return !ask(*client, {"GET", keys[100]}).has_value(); }));
  const auto start = Stopwatch::now();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(text_of(*client, {"GET", keys[8000]}), "x");
    ASSERT_EQ(text_of(*client, {"GET", keys[16000]}), "x");
    expect_unavailable(ask(*client, {"GET", keys[100]}));
  }
  EXPECT_LT(since(start), milliseconds(3000)) << "the dead server's keys cost time";
  EXPECT_TRUE(ask_for(*client, {"PING"}, "")) << "any server would have done";
  EXPECT_TRUE(client->connected());
  cluster_.node(0).restart();
  EXPECT_TRUE(eventually([&] { return ask(*client, {"SET", keys[100], "y"}).has_value(); }, milliseconds(10'000)));
}

}  // namespace
}  // namespace infra::net
