// The Redis client against real servers that die, freeze, forget and refuse.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <thread>

#include "integration/redis_fixture.h"
#include "net/redis/hiredis_client.h"
#include "support/redis_control.h"
#include "support/redis_server.h"
#include "telemetry/log.h"

namespace infra::net {
namespace {

using infra::testing::RedisControl;
using infra::testing::RedisServer;
using Type = RedisReply::Type;

class RedisClientTest : public RedisFixture {};

TEST_F(RedisClientTest, GivesEveryTypeOfReply) {
  const RedisServer server;
  HiredisClient client(loops_, server.options());
  client.start();
  const auto set = ask(client, {"SET", "key", "value"});
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->type, Type::status);
  EXPECT_EQ(set->text, "OK");
  EXPECT_EQ(text_of(client, {"GET", "key"}), "value");
  EXPECT_TRUE(ask(client, {"GET", "absent"})->is_nil());
  EXPECT_EQ(ask(client, {"DEL", "key"})->integer, 1);
  ASSERT_TRUE(ask(client, {"RPUSH", "list", "a", "", "c"}));
  const auto list = ask(client, {"LRANGE", "list", "0", "-1"});
  ASSERT_EQ(list->type, Type::array);
  ASSERT_EQ(list->elements.size(), 3U);
  EXPECT_EQ(list->elements[0].text, "a");
  EXPECT_EQ(list->elements[1].text, "");
  const auto mixed = eval(client, RedisScript("return {1, 'x', {err = 'INNER'}, false, {ok = 'fine'}}"), "key");
  ASSERT_TRUE(mixed) << mixed.error().message;
  ASSERT_EQ(mixed->elements.size(), 5U);
  EXPECT_EQ(mixed->elements[2].type, Type::error);
  EXPECT_TRUE(mixed->elements[3].is_nil());
  EXPECT_EQ(mixed->elements[4].type, Type::status);
  EXPECT_TRUE(client.connected());
}

TEST_F(RedisClientTest, AnErrorReplyIsARefusalAndRepeatsNoArguments) {
  const RedisServer server;
  HiredisClient client(loops_, server.options());
  client.start();
  ASSERT_TRUE(ask(client, {"SET", "text", "x"}));
  const auto wrong = ask(client, {"LPUSH", "text", "x"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::internal);
  EXPECT_EQ(wrong.error().code, "redis_refused");
  EXPECT_NE(wrong.error().message.find("WRONGTYPE"), std::string::npos);
  const auto unknown = ask(client, {"NOSUCHCOMMAND", "a-secret"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, "redis_refused");
  EXPECT_EQ(unknown.error().message.find("a-secret"), std::string::npos) << unknown.error().message;
}

TEST_F(RedisClientTest, KeysAndValuesMayHoldAnyBytes) {
  const RedisServer server;
  HiredisClient client(loops_, server.options());
  client.start();
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  bytes += "\r\n$-1\r\n";
  ASSERT_TRUE(ask(client, {"SET", bytes, bytes}));
  EXPECT_EQ(text_of(client, {"GET", bytes}), bytes);
  std::string big(8 * 1024 * 1024, 'x');
  for (std::size_t i = 0; i < big.size(); i += 997) big[i] = static_cast<char>(i);
  ASSERT_TRUE(ask(client, {"SET", "big", big}));
  EXPECT_TRUE(ask(client, {"GET", "big"})->text == big);
}

TEST_F(RedisClientTest, ManyCommandsOfManyThreadsGetTheirOwnAnswers) {
  const RedisServer server;
  HiredisClient client(loops_, server.options());
  client.start();
  const auto replies =
      ask_many(client, 10'000, 200, [](std::size_t i) { return RedisCommand{"ECHO", "word-" + std::to_string(i)}; });
  for (std::size_t i = 0; i < replies.size(); ++i) {
    ASSERT_TRUE(replies[i]) << replies[i].error().message;
    ASSERT_EQ(replies[i]->text, "word-" + std::to_string(i));
  }
  EXPECT_NE(RedisControl(server.port()).ask_one({"INFO", "clients"}).find("connected_clients:2\r"), std::string::npos)
      << "one connection for all, and the one that asks";
}

TEST_F(RedisClientTest, ScriptsAreLoadedAgainWhenTheServerForgotThem) {
  RedisServer server;
  HiredisClient client(loops_, server.options());
  client.start();
  const RedisScript script("return {KEYS[1], ARGV[1]}");
  EXPECT_EQ(script.sha1(), "d006f1a90249474274c76f5be725b8f5804a346b");
  for (int round = 0; round < 2; ++round) {
    const auto reply = eval(client, script, "key", {"argument"});
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->elements.at(0).text, "key");
    EXPECT_EQ(reply->elements.at(1).text, "argument");
  }
  EXPECT_NE(RedisControl(server.port()).ask_one({"INFO", "commandstats"}).find("cmdstat_eval:calls=1,"),
            std::string::npos);
  ASSERT_TRUE(ask_for(client, {"SCRIPT", "FLUSH"}, ""));
  EXPECT_TRUE(eval(client, script, "key", {"argument"}));
  server.restart();
  EXPECT_TRUE(eventually([&] { return eval(client, script, "key", {"argument"}).has_value(); }, milliseconds(2000)));
}

TEST_F(RedisClientTest, AnErrorInAScriptIsARefusal) {
  const RedisServer server;
  HiredisClient client(loops_, server.options());
  client.start();
  const auto reply = eval(client, RedisScript("return redis.error_reply('BROKEN by intent')"), "key");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, "redis_refused");
}

TEST_F(RedisClientTest, AKilledServerFailsFastAndIsFoundAgain) {
  RedisServer server;
  HiredisClient client(loops_, server.options());
  client.start();
  ASSERT_TRUE(ask(client, {"PING", "x"}));
  server.kill();
  ASSERT_TRUE(eventually([&] { return !client.connected(); }));
  const auto start = Stopwatch::now();
  for (int i = 0; i < 20; ++i) expect_unavailable(ask(client, {"GET", "key"}));
  EXPECT_LT(since(start), milliseconds(900)) << "a command without a connection waited";
  server.restart();
  EXPECT_TRUE(answers_within(client, milliseconds(2000)));
  EXPECT_TRUE(client.connected());
}

TEST_F(RedisClientTest, CommandsUnderWayFailWhenTheServerDies) {
  RedisServer server;
  HiredisClient client(loops_, server.options());
  client.start();
  ASSERT_TRUE(ask(client, {"PING", "x"}));
  std::thread killer([&] {
    // The command is seen to wait in the server before that ends.
    EXPECT_TRUE(eventually(
        [&] { return RedisControl(server.port()).ask_one({"INFO", "clients"}).contains("blocked_clients:1"); }));
    server.kill();
  });
  const auto start = Stopwatch::now();
  expect_unavailable(ask(client, {"BLPOP", "nothing", "30"}, milliseconds(20'000)));
  EXPECT_LT(since(start), milliseconds(5000));
  killer.join();
}

TEST_F(RedisClientTest, AFrozenServerCostsACommandItsTimeAndNoOtherAnything) {
  RedisServer server;
  const RedisServer other;
  HiredisClient client(loops_, server.options());
  HiredisClient neighbour(loops_, other.options());
  client.start();
  neighbour.start();
  ASSERT_TRUE(ask(client, {"PING", "x"}));
  ASSERT_TRUE(ask(neighbour, {"PING", "x"}));
  server.freeze();
  auto start = Stopwatch::now();
  expect_unavailable(ask(client, {"GET", "key"}, milliseconds(200)));
  EXPECT_GE(since(start), milliseconds(200));
  EXPECT_LT(since(start), milliseconds(600));
  EXPECT_TRUE(ask(neighbour, {"PING", "x"}, milliseconds(500)));
  start = Stopwatch::now();
  expect_unavailable(ask(client, {"GET", "key"}, milliseconds(10'000)));
  EXPECT_LT(since(start), milliseconds(3000)) << "the silent connection was not given up";
  ASSERT_TRUE(eventually([&] {
    const auto asked = Stopwatch::now();
    expect_unavailable(ask(client, {"GET", "key"}));
    return since(asked) < milliseconds(50);
  })) << "commands do not fail at once while the server is away";
  server.thaw();
  EXPECT_TRUE(answers_within(client, milliseconds(2000)));
}

TEST_F(RedisClientTest, ALateAnswerIsNobodyElses) {
  const RedisServer server;
  HiredisClient client(loops_, server.options());
  client.start();
  ASSERT_TRUE(ask(client, {"SET", "key", "value"}));
  const auto start = Stopwatch::now();
  expect_unavailable(ask(client, {"BLPOP", "nothing", "0.4"}, milliseconds(100)));
  EXPECT_LT(since(start), milliseconds(350));
  EXPECT_EQ(text_of(client, {"GET", "key"}), "value");
  EXPECT_EQ(text_of(client, {"ECHO", "again"}), "again");
}

TEST_F(RedisClientTest, AnIdleConnectionIsNotTakenForASilentOne) {
  const RedisServer server;
  auto options = server.options();
  options.command_timeout = milliseconds(200);
  HiredisClient client(loops_, options);
  client.start();
  const auto id = ask_for(client, {"CLIENT", "ID"}, "");
  ASSERT_TRUE(id);
  for (int round = 0; round < 4; ++round) {
    std::this_thread::sleep_for(milliseconds(190));  // just within, and past, the time that a silent one has
    ASSERT_TRUE(ask(client, {"GET", "key"}));
  }
  EXPECT_EQ(ask_for(client, {"CLIENT", "ID"}, "")->integer, id->integer);
}

TEST_F(RedisClientTest, AServerThatIsNotThereYetIsFoundWhenItComes) {
  RedisServer server;
  server.kill();
  HiredisClient client(loops_, server.options());
  client.start();
  expect_unavailable(ask(client, {"GET", "key"}));
  EXPECT_FALSE(client.connected());
  server.restart();
  EXPECT_TRUE(answers_within(client, milliseconds(2000)));
}

TEST_F(RedisClientTest, CommandsWaitForTheFirstAttempt) {
  const RedisServer server;
  for (int round = 0; round < 20; ++round) {
    HiredisClient client(loops_, server.options());
    client.start();
    ASSERT_TRUE(ask(client, {"PING", "x"}));
  }
}

TEST_F(RedisClientTest, AClientMayGoWhileItsCommandsWait) {
  const RedisServer server;
  std::optional<HiredisClient> client;
  client.emplace(loops_, server.options());
  client->start();
  ASSERT_TRUE(ask(*client, {"PING", "x"}));
  std::thread destroyer([&] {
    EXPECT_TRUE(eventually(
        [&] { return RedisControl(server.port()).ask_one({"INFO", "clients"}).contains("blocked_clients:1"); }));
    client.reset();
  });
  expect_unavailable(ask(*client, {"BLPOP", "nothing", "30"}, milliseconds(20'000)));
  destroyer.join();
}

TEST_F(RedisClientTest, APasswordAloneIsEnough) {
  const RedisServer server({.password = "open-sesame"});
  HiredisClient client(loops_, server.options());
  client.start();
  EXPECT_TRUE(ask(client, {"SET", "key", "value"}));
}

TEST_F(RedisClientTest, AUserOfTheAccessListIsLetIn) {
  const RedisServer server({.username = "infra", .password = "open-sesame"});
  HiredisClient client(loops_, server.options());
  client.start();
  EXPECT_EQ(text_of(client, {"ACL", "WHOAMI"}), "infra");
}

TEST_F(RedisClientTest, WrongCredentialsAreSaidOnceAndTriedOn) {
  const RedisServer server({.password = "open-sesame"});
  auto options = server.options();
  options.password = "open-barley";
  HiredisClient client(loops_, options);
  client.start();
  EXPECT_FALSE(eventually([&] { return ask(client, {"GET", "key"}).has_value(); }, milliseconds(700)));
  const auto refused = ask(client, {"GET", "key"});
  expect_unavailable(refused);
  EXPECT_NE(refused.error().message.find("refused the credentials"), std::string::npos) << refused.error().message;
  const std::string where = "127.0.0.1:" + std::to_string(server.port());
  const auto lines = log::recent_lines();
  EXPECT_EQ(std::ranges::count_if(lines, [&](const auto& line) { return line.contains(where); }), 1);
  EXPECT_TRUE(std::ranges::none_of(lines, [](const auto& line) { return line.contains("open-"); }));
  RedisControl line(server.port());
  line.ask({"AUTH", "open-sesame"});
  line.ask({"CONFIG", "SET", "requirepass", "open-barley"});
  EXPECT_TRUE(answers_within(client, milliseconds(2000)));
}

TEST_F(RedisClientTest, MissingCredentialsAreRefusedCredentials) {
  const RedisServer server({.password = "open-sesame"});
  auto options = server.options();
  options.password.clear();
  HiredisClient client(loops_, options);
  client.start();
  const auto refused = ask(client, {"GET", "key"});
  expect_unavailable(refused);
  EXPECT_NE(refused.error().message.find("refused the credentials"), std::string::npos) << refused.error().message;
}

TEST_F(RedisClientTest, TlsCarriesCommandsOfAnySize) {
  RedisServer server({.tls = true, .password = "open-sesame"});
  HiredisClient client(loops_, server.options());
  client.start();
  const std::string big(8 * 1024 * 1024, 'y');
  const auto set = ask(client, {"SET", "big", big});
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_TRUE(ask(client, {"GET", "big"})->text == big);
  const auto replies =
      ask_many(client, 2'000, 100, [](std::size_t i) { return RedisCommand{"ECHO", std::to_string(i)}; });
  for (std::size_t i = 0; i < replies.size(); ++i) ASSERT_EQ(replies[i]->text, std::to_string(i));
  server.restart();
  EXPECT_TRUE(answers_within(client, milliseconds(2000)));
}

TEST_F(RedisClientTest, TlsTrustsNoOtherAuthorityAndNoOtherName) {
  const RedisServer server({.tls = true});
  const RedisServer stranger({.tls = true});
  auto options = server.options();
  options.ca_file = stranger.options().ca_file;
  HiredisClient deceived(loops_, options);
  deceived.start();
  expect_unavailable(ask(deceived, {"GET", "key"}));

  options = server.options();
  options.ca_file.clear();  // the system's authorities do not know it either
  HiredisClient system(loops_, options);
  system.start();
  expect_unavailable(ask(system, {"GET", "key"}));

  options = server.options();
  options.host = "127.1";  // leads there, but the certificate is for 127.0.0.1 and localhost
  HiredisClient misled(loops_, options);
  misled.start();
  expect_unavailable(ask(misled, {"GET", "key"}));

  options.host = "localhost";
  HiredisClient named(loops_, options);
  named.start();
  EXPECT_TRUE(ask(named, {"GET", "key"}));
}

TEST_F(RedisClientTest, APlainClientAndATlsServerDoNotHang) {
  const RedisServer server({.tls = true});
  auto options = server.options();
  options.tls = false;
  HiredisClient client(loops_, options);
  client.start();
  const auto start = Stopwatch::now();
  expect_unavailable(ask(client, {"GET", "key"}, milliseconds(5000)));
  EXPECT_LT(since(start), milliseconds(2500));
}

TEST_F(RedisClientTest, AuthoritiesThatCannotBeReadAreSaidAtTheStart) {
  EXPECT_THROW(HiredisClient(loops_, {.tls = true, .ca_file = "/nonexistent/ca.pem"}), std::runtime_error);
}

TEST_F(RedisClientTest, AServerThatCannotServeIsUnavailable) {
  const RedisServer server;
  HiredisClient client(loops_, server.options());
  client.start();
  ASSERT_TRUE(ask(client, {"PING", "x"}));
  RedisControl line(server.port());
  line.ask({"CONFIG", "SET", "maxmemory", "1"});
  expect_unavailable(ask(client, {"SET", "key", "value"}));
  line.ask({"CONFIG", "SET", "maxmemory", "0"});
  line.ask({"REPLICAOF", "127.0.0.1", "1"});
  expect_unavailable(ask(client, {"SET", "key", "value"}));
  line.ask({"REPLICAOF", "NO", "ONE"});
  EXPECT_TRUE(eventually([&] { return ask(client, {"SET", "key", "value"}).has_value(); }, milliseconds(2000)));
}

TEST_F(RedisClientTest, TheServersTimeCanBeMoved) {
  RedisServer server({.fake_time = true});
  HiredisClient client(loops_, server.options());
  client.start();
  ASSERT_TRUE(ask(client, {"SET", "key", "value", "PX", "60000"}));
  server.advance(milliseconds(59'000));
  EXPECT_EQ(text_of(client, {"GET", "key"}), "value");
  const auto start = Stopwatch::now();
  server.advance(milliseconds(1'500));
  EXPECT_LT(since(start), milliseconds(1000));
  EXPECT_TRUE(ask(client, {"GET", "key"})->is_nil());
}

}  // namespace
}  // namespace infra::net
