// Redis' rules for what goes into a script and what comes out of it.
#include "platform/engines/redis/redis_lua.h"

#include <gtest/gtest.h>

#include "platform/engines/redis/redis_commands.h"

namespace infra::testing {
namespace {

using net::RedisReply;
using Type = RedisReply::Type;

class RedisLuaTest : public ::testing::Test {
 protected:
  RedisReply run(const std::string& source, const std::vector<std::string>& arguments = {}) {
    return lua_.run(net::RedisScript(source), {"key"}, arguments);
  }

  RedisKeyspace keys_{milliseconds{0}};
  RedisLua lua_{[this](const net::RedisCommand& command) { return run_redis_command(keys_, command); }};
};

TEST_F(RedisLuaTest, WhatAScriptGivesBecomesAReply) {
  EXPECT_EQ(run("return 3.99").integer, 3);
  EXPECT_EQ(run("return 'x\\0y'").text, std::string("x\0y", 3));
  EXPECT_EQ(run("return true").integer, 1);
  EXPECT_TRUE(run("return false").is_nil());
  EXPECT_TRUE(run("local x = 1").is_nil());
  EXPECT_EQ(run("return {ok = 'fine'}").type, Type::status);
  const auto list = run("return {1, {'a', false}, nil, 'unseen'}");
  ASSERT_EQ(list.elements.size(), 2U) << "a list ends at its first nil";
  EXPECT_TRUE(list.elements[1].elements.at(1).is_nil());
  EXPECT_EQ(run("return {KEYS[1], ARGV[2]}", {"a", "b"}).elements.at(1).text, "b");
}

TEST_F(RedisLuaTest, WhatRedisAnswersBecomesAValue) {
  EXPECT_EQ(run("return type(redis.call('GET', 'none'))").text, "boolean");
  EXPECT_EQ(run("return redis.call('SET', 'a', 7)['ok']").text, "OK");
  EXPECT_EQ(run("return redis.call('GET', 'a')").text, "7");
  EXPECT_EQ(run("redis.call('SET', 'a', 2 ^ 53) return redis.call('GET', 'a')").text, "9007199254740992");
  EXPECT_EQ(run("redis.call('SET', 'a', 0.1) return redis.call('GET', 'a')").text, "0.10000000000000001");
  EXPECT_EQ(run("return #redis.call('TIME')").integer, 2);
}

TEST_F(RedisLuaTest, ErrorsEndAScriptUnlessItCatchesThem) {
  run("redis.call('SET', 'text', 'x')");
  const auto wrong = run("return redis.call('LLEN', 'text')");
  EXPECT_EQ(wrong.type, Type::error);
  EXPECT_TRUE(wrong.text.starts_with("WRONGTYPE ")) << wrong.text;
  EXPECT_TRUE(wrong.text.ends_with(", on @user_script:1.")) << wrong.text;
  EXPECT_EQ(run("local got = redis.pcall('LLEN', 'text') return got.err:sub(1, 9)").text, "WRONGTYPE");
  EXPECT_TRUE(run("local ok, got = pcall(redis.call, 'LLEN', 'text') return got").text.starts_with("WRONGTYPE"));
  EXPECT_EQ(run("return redis.error_reply('BROKEN by intent')").text, "BROKEN by intent");
  EXPECT_EQ(run("return redis.error_reply('Broken')").text, "ERR Broken");
  EXPECT_TRUE(run("return nothing").text.contains("nonexistent global variable 'nothing'"));
  EXPECT_EQ(run("made = 1").type, Type::error);
  EXPECT_EQ(run("return 1 +").type, Type::error);
  EXPECT_EQ(run("return redis.call()").type, Type::error);
  EXPECT_EQ(run("return redis.call('GET', {})").type, Type::error);
}

TEST_F(RedisLuaTest, ReadsJson) {
  const std::string text = R"({"a":[1,2.5,{"b":null}],"c":"ü","d":true})";
  EXPECT_EQ(run("return tostring(cjson.decode(ARGV[1]).a[2])", {text}).text, "2.5");
  EXPECT_EQ(run("return type(cjson.decode(ARGV[1]).a[3].b)", {text}).text, "userdata");
  EXPECT_EQ(run("return cjson.decode(ARGV[1]).c", {text}).text, "ü");
  EXPECT_TRUE(run("return (pcall(cjson.decode, '{'))").is_nil());
}

TEST_F(RedisLuaTest, WhatIsNotSimulatedEndsTheProgram) {
  EXPECT_DEATH(run("return redis.sha1hex('x')"), "does not know this: a script's sha1hex");
  EXPECT_DEATH(run("return math.random()"), "a script's random");
  EXPECT_DEATH(run("return redis.call('SINTER', 'a')"), "SINTER");
}

}  // namespace
}  // namespace infra::testing
