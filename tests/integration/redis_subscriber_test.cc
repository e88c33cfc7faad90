// The subscriber against real servers: what it hears, and that it says when it may have missed something.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "integration/redis_fixture.h"
#include "net/redis/hiredis_subscriber.h"
#include "support/redis_control.h"
#include "support/redis_server.h"

namespace infra::net {
namespace {

using infra::testing::RedisControl;
using infra::testing::RedisServer;
using Message = std::pair<std::string, std::string>;

// What a subscriber has said, to be waited for.
class Ear {
 public:
  RedisSubscription subscription(std::vector<std::string> channels, std::vector<std::string> patterns) {
    return {.channels = std::move(channels),
            .patterns = std::move(patterns),
            .on_message =
                [this](std::string_view channel, std::string payload) {
                  const MutexLock lock(mutex_);
                  messages_.emplace_back(channel, std::move(payload));
                  changed_.notify_all();
                },
            .on_subscribed =
                [this] {
                  const MutexLock lock(mutex_);
                  ++subscribed_;
                  changed_.notify_all();
                }};
  }
  bool wait_for_subscribed(int times, milliseconds limit = milliseconds(5000)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    const MutexLock lock(mutex_);
    while (subscribed_ < times && changed_.wait_until(mutex_, deadline)) {
    }
    return subscribed_ >= times;
  }
  std::vector<Message> wait_for_messages(std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    const MutexLock lock(mutex_);
    while (messages_.size() < count && changed_.wait_until(mutex_, deadline)) {
    }
    return messages_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<Message> messages_ INFRA_GUARDED_BY(mutex_);
  int subscribed_ INFRA_GUARDED_BY(mutex_) = 0;
};

class RedisSubscriberTest : public RedisFixture {
 protected:
  Ear ear_;
};

TEST_F(RedisSubscriberTest, HearsChannelsAndPatternsInOrder) {
  const RedisServer server;
  HiredisSubscriber subscriber(loops_, server.options(), ear_.subscription({"one", "two"}, {"result:*"}));
  EXPECT_FALSE(subscriber.subscribed());
  subscriber.start();
  ASSERT_TRUE(ear_.wait_for_subscribed(1));
  EXPECT_TRUE(subscriber.subscribed());
  RedisControl line(server.port());
  const std::string payload("{\"a\":\r\n\0}", 9);
  const std::string big(2 * 1024 * 1024, 'z');
  line.ask({"PUBLISH", "one", payload});
  line.ask({"PUBLISH", "elsewhere", "unheard"});
  line.ask({"PUBLISH", "result:42", ""});
  line.ask({"PUBLISH", "two", "last"});
  HiredisClient client(loops_, server.options());
  client.start();
  ASSERT_EQ(ask_for(client, {"PUBLISH", "one", big}, "")->integer, 1);
  const std::vector<Message> expected{{"one", payload}, {"result:42", ""}, {"two", "last"}, {"one", big}};
  EXPECT_TRUE(ear_.wait_for_messages(4) == expected);
}

TEST_F(RedisSubscriberTest, IsWaitedForAndSaysWhenItTakesTooLong) {
  RedisServer server;
  HiredisSubscriber subscriber(loops_, server.options(), ear_.subscription({"one"}, {}));
  EXPECT_FALSE(subscriber.wait_until_subscribed(milliseconds(0)));
  subscriber.start();
  EXPECT_TRUE(subscriber.wait_until_subscribed(milliseconds(5000)));
  EXPECT_TRUE(subscriber.subscribed());
  server.kill();
  HiredisSubscriber deaf(loops_, server.options(), ear_.subscription({"one"}, {}));
  deaf.start();
  EXPECT_FALSE(deaf.wait_until_subscribed(milliseconds(50)));
}

TEST_F(RedisSubscriberTest, SaysWhenItIsBackAfterTheServerDied) {
  RedisServer server;
  HiredisSubscriber subscriber(loops_, server.options(), ear_.subscription({"one"}, {}));
  subscriber.start();
  ASSERT_TRUE(ear_.wait_for_subscribed(1));
  server.kill();
  ASSERT_TRUE(eventually([&] { return !subscriber.subscribed(); }));
  server.restart();
  ASSERT_TRUE(ear_.wait_for_subscribed(2, milliseconds(2000)));
  RedisControl(server.port()).ask({"PUBLISH", "one", "again"});
  EXPECT_EQ(ear_.wait_for_messages(1), (std::vector<Message>{{"one", "again"}}));
}

TEST_F(RedisSubscriberTest, GivesUpAFrozenServerAndSaysWhenItIsBack) {
  RedisServer server;
  HiredisSubscriber subscriber(loops_, server.options(), ear_.subscription({"one"}, {"p*"}));
  subscriber.start();
  ASSERT_TRUE(ear_.wait_for_subscribed(1));
  const auto start = Stopwatch::now();
  server.freeze();
  ASSERT_TRUE(eventually([&] { return !subscriber.subscribed(); }));
  EXPECT_LT(since(start), milliseconds(3000));
  server.thaw();
  ASSERT_TRUE(ear_.wait_for_subscribed(2, milliseconds(2000)));
  RedisControl(server.port()).ask({"PUBLISH", "p1", "again"});
  EXPECT_EQ(ear_.wait_for_messages(1), (std::vector<Message>{{"p1", "again"}}));
}

TEST_F(RedisSubscriberTest, StaysWithAServerThatHasNothingToSay) {
  const RedisServer server;
  HiredisSubscriber subscriber(loops_, server.options(), ear_.subscription({"one"}, {}));
  subscriber.start();
  ASSERT_TRUE(ear_.wait_for_subscribed(1));
  EXPECT_FALSE(ear_.wait_for_subscribed(2, milliseconds(3500)));
  EXPECT_TRUE(subscriber.subscribed());
}

TEST_F(RedisSubscriberTest, SpeaksTlsAndShowsItsPassword) {
  const RedisServer server({.tls = true, .username = "infra", .password = "open-sesame"});
  HiredisSubscriber subscriber(loops_, server.options(), ear_.subscription({"one"}, {}));
  subscriber.start();
  ASSERT_TRUE(ear_.wait_for_subscribed(1));
  HiredisClient client(loops_, server.options());
  client.start();
  ASSERT_EQ(ask_for(client, {"PUBLISH", "one", "hello"}, "")->integer, 1);
  EXPECT_EQ(ear_.wait_for_messages(1), (std::vector<Message>{{"one", "hello"}}));
}

TEST_F(RedisSubscriberTest, IsNotSubscribedWhereItMayNot) {
  RedisServer server({.password = "open-sesame"});
  RedisControl line(server.port());
  line.ask({"AUTH", "open-sesame"});
  line.ask({"ACL", "SETUSER", "deaf", "on", ">mute", "~*", "resetchannels", "+@all"});
  auto options = server.options();
  options.username = "deaf";
  options.password = "mute";
  HiredisSubscriber subscriber(loops_, options, ear_.subscription({"one"}, {}));
  subscriber.start();
  EXPECT_FALSE(ear_.wait_for_subscribed(1, milliseconds(500)));
  EXPECT_FALSE(subscriber.subscribed());
  line.ask({"ACL", "SETUSER", "deaf", "&*"});
  EXPECT_TRUE(ear_.wait_for_subscribed(1, milliseconds(2500)));
}

TEST_F(RedisSubscriberTest, CallsNobodyOnceItIsGone) {
  const RedisServer server;
  for (int round = 0; round < 20; ++round) {
    auto ear = std::make_unique<Ear>();
    {
      HiredisSubscriber subscriber(loops_, server.options(), ear->subscription({"one"}, {}));
      subscriber.start();
      ASSERT_TRUE(ear->wait_for_subscribed(1));
      RedisControl(server.port()).ask({"PUBLISH", "one", "hello"});
    }
    ear.reset();
  }
}

}  // namespace
}  // namespace infra::net
