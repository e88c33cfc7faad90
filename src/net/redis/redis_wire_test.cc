#include "net/redis/redis_wire.h"

#include <gtest/gtest.h>

namespace infra::net {
namespace {

using Type = RedisReply::Type;

RedisReply read_one(RedisReader& reader) {
  auto reply = reader.next();
  if (!reply || !*reply) {
    ADD_FAILURE() << "no whole reply";
    return {};
  }
  return std::move(**reply);
}

TEST(RedisWireTest, CommandsAreBinarySafe) {
  std::string out = "before";
  append_command(out, {"SET", "a\r\nb", std::string("\0\xff", 2), ""});
  EXPECT_EQ(out, std::string("before*4\r\n$3\r\nSET\r\n$4\r\na\r\nb\r\n$2\r\n\0\xff\r\n$0\r\n\r\n", 43));
}

TEST(RedisWireTest, EveryTypeOfReplyComesInAnyPieces) {
  const std::string bytes =
      "+OK\r\n-ERR no\r\n:-42\r\n$-1\r\n*-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n"
      "*4\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n-WRONG\r\n*0\r\n";
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    RedisReader reader;
    std::vector<RedisReply> replies;
    for (std::size_t at = 0; at < bytes.size(); at += size) {
      reader.feed(std::string_view(bytes).substr(at, size));
      for (auto reply = reader.next(); reply && *reply; reply = reader.next()) replies.push_back(std::move(**reply));
    }
    ASSERT_EQ(replies.size(), 8U) << "in pieces of " << size;
    EXPECT_EQ(replies[0].type, Type::status);
    EXPECT_EQ(replies[0].text, "OK");
    EXPECT_EQ(replies[1].type, Type::error);
    EXPECT_EQ(replies[1].text, "ERR no");
    EXPECT_EQ(replies[2].type, Type::integer);
    EXPECT_EQ(replies[2].integer, -42);
    EXPECT_TRUE(replies[3].is_nil());
    EXPECT_TRUE(replies[4].is_nil());
    EXPECT_EQ(replies[5].type, Type::text);
    EXPECT_EQ(replies[5].text, "");
    EXPECT_EQ(replies[6].text, "a\r\nb");
    const auto& parts = replies[7].elements;
    ASSERT_EQ(parts.size(), 4U);
    EXPECT_EQ(parts[0].integer, 1);
    ASSERT_EQ(parts[1].elements.size(), 2U);
    EXPECT_EQ(parts[1].elements[0].text, "x");
    EXPECT_TRUE(parts[1].elements[1].is_nil());
    EXPECT_EQ(parts[2].type, Type::error);
    EXPECT_EQ(parts[3].type, Type::array);
    EXPECT_TRUE(parts[3].elements.empty());
  }
}

TEST(RedisWireTest, AnArrayCostsWhatHasComeOfIt) {
  RedisReader reader;
  reader.feed("*2147483647\r\n*2147483647\r\n:1\r\n");
  const auto reply = reader.next();
  ASSERT_TRUE(reply.has_value());
  EXPECT_FALSE(reply->has_value());
}

TEST(RedisWireTest, ALongArrayOfArraysIsReadWhole) {
  constexpr std::size_t kMany = 1000;
  RedisReader reader;
  reader.feed("*1000\r\n");
  for (std::size_t i = 0; i < kMany; ++i) reader.feed("*2\r\n:" + std::to_string(i) + "\r\n*1\r\n$1\r\nx\r\n");
  const RedisReply reply = read_one(reader);
  ASSERT_EQ(reply.elements.size(), kMany);
  for (std::size_t i = 0; i < kMany; ++i) {
    ASSERT_EQ(reply.elements[i].elements.size(), 2U);
    EXPECT_EQ(reply.elements[i].elements[0].integer, static_cast<std::int64_t>(i));
    EXPECT_EQ(reply.elements[i].elements[1].elements.at(0).text, "x");
  }
}

TEST(RedisWireTest, WhatIsNotTheProtocolIsAnError) {
  RedisReader reader;
  reader.feed("+fine\r\nHTTP/1.1 400 Bad Request\r\n");
  EXPECT_EQ(read_one(reader).text, "fine");
  const auto reply = reader.next();
  ASSERT_FALSE(reply);
  EXPECT_FALSE(reply.error().empty());
}

}  // namespace
}  // namespace infra::net
