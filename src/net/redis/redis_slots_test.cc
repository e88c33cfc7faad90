#include "net/redis/redis_slots.h"

#include <gtest/gtest.h>

namespace infra::net {
namespace {

const RedisAddress kAsked{"10.0.0.1", 7000};

RedisReply text(std::string value) {
  return {.type = RedisReply::Type::text, .text = std::move(value), .integer = 0, .elements = {}};
}
RedisReply integer(std::int64_t value) {
  return {.type = RedisReply::Type::integer, .text = {}, .integer = value, .elements = {}};
}
RedisReply array(std::vector<RedisReply> elements) {
  return {.type = RedisReply::Type::array, .text = {}, .integer = 0, .elements = std::move(elements)};
}

TEST(RedisSlotsTest, KeysFallWhereRedisPutsThem) {
  EXPECT_EQ(redis_slot("123456789"), 0x31C3 % 16384);
  EXPECT_EQ(redis_slot("foo"), 12182);
  EXPECT_EQ(redis_slot(""), 0);
}

TEST(RedisSlotsTest, OnlyTheFirstTagThatIsNotEmptyCounts) {
  EXPECT_EQ(redis_slot("a{foo}b"), redis_slot("foo"));
  EXPECT_EQ(redis_slot("{foo}{bar}"), redis_slot("foo"));
  EXPECT_EQ(redis_slot("a{{foo}}"), redis_slot("{foo"));
  EXPECT_NE(redis_slot("{}foo"), redis_slot("foo"));
  EXPECT_NE(redis_slot("{foo"), redis_slot("foo"));
}

TEST(RedisSlotsTest, RedirectionsAreRead) {
  const auto moved = parse_redirection("MOVED 3999 127.0.0.1:6381", kAsked);
  ASSERT_TRUE(moved);
  EXPECT_FALSE(moved->ask);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(moved->to, (RedisAddress{"127.0.0.1", 6381}));
  const auto ask = parse_redirection("ASK 1 2001:db8::1:6379", kAsked);
  ASSERT_TRUE(ask);
  EXPECT_TRUE(ask->ask);
  EXPECT_EQ(ask->to, (RedisAddress{"2001:db8::1", 6379}));
  EXPECT_EQ(parse_redirection("MOVED 1 :7001", kAsked)->to, (RedisAddress{"10.0.0.1", 7001}));
  EXPECT_EQ(parse_redirection("MOVED 1 ?:7001", kAsked)->to, (RedisAddress{"10.0.0.1", 7001}));
}

TEST(RedisSlotsTest, WhatIsNoRedirectionIsNone) {
  for (const std::string_view words : {"ERR MOVED 1 a:1", "MOVED", "MOVED 1", "MOVED x a:1", "MOVED 16384 a:1",
                                       "MOVED 1 a:65536", "MOVED 1 a:", "MOVED 1 a", "ASKING 1 a:1"}) {
    EXPECT_FALSE(parse_redirection(words, kAsked)) << words;
  }
}

TEST(RedisSlotsTest, TheMapIsRead) {
  const auto ranges = parse_slot_ranges(
      array(
          {array({integer(0), integer(99), array({text("a"), integer(1), text("id")}), array({text("r"), integer(2)})}),
           array({integer(100), integer(16383), array({RedisReply{}, integer(3)})})}),
      kAsked);
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[0].last, 99);
  EXPECT_EQ(ranges[0].master, (RedisAddress{"a", 1}));
  EXPECT_EQ(ranges[1].first, 100);
  EXPECT_EQ(ranges[1].master, (RedisAddress{"10.0.0.1", 3}));
}

TEST(RedisSlotsTest, WhatIsNoMapIsEmpty) {
  const auto node = array({text("a"), integer(1)});
  EXPECT_TRUE(parse_slot_ranges(RedisReply{}, kAsked).empty());
  EXPECT_TRUE(parse_slot_ranges(array({text("x")}), kAsked).empty());
  EXPECT_TRUE(parse_slot_ranges(array({array({integer(0), integer(16384), node})}), kAsked).empty());
  EXPECT_TRUE(parse_slot_ranges(array({array({integer(5), integer(4), node})}), kAsked).empty());
  EXPECT_TRUE(parse_slot_ranges(array({array({integer(-1), integer(4), node})}), kAsked).empty());
}

}  // namespace
}  // namespace infra::net
