// What the tests of Redis' client and subscriber share: event threads, and plain functions that ask and wait.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <latch>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/loops/event_loops.h"
#include "net/redis/hiredis_client.h"

namespace infra::net {

using Stopwatch = std::chrono::steady_clock;

inline milliseconds since(SteadyTime start) {
  return std::chrono::duration_cast<milliseconds>(Stopwatch::now() - start);
}

class RedisFixture : public ::testing::Test {
 protected:
  using Replies = std::vector<Result<RedisReply>>;

  // The command's first argument is its key.
  Result<RedisReply> ask(RedisClient& client, RedisCommand command, milliseconds timeout = {}) {
    std::string key = command.size() > 1 ? command[1] : std::string();
    return ask_for(client, std::move(command), std::move(key), timeout);
  }
  Result<RedisReply> ask_for(RedisClient& client, RedisCommand command, std::string key, milliseconds timeout = {}) {
    Result<RedisReply> out;
    loops_.run_blocking(ask_into(client, std::move(command), std::move(key), timeout, out));
    return out;
  }
  Result<RedisReply> eval(RedisClient& client, const RedisScript& script, std::string key,
                          std::vector<std::string> arguments = {}) {
    Result<RedisReply> out;
    loops_.run_blocking(eval_into(client, script, std::move(key), std::move(arguments), out));
    return out;
  }
  std::string text_of(RedisClient& client, RedisCommand command) {
    const auto reply = ask(client, std::move(command));
    return reply ? reply->text : reply.error().message;
  }

  // `count` commands from `writers` coroutines, spread over the event threads; each is done before its writer's next.
  Replies ask_many(RedisClient& client, std::size_t count, std::size_t writers,
                   std::function<RedisCommand(std::size_t)> command) {
    Replies replies(count);
    std::latch done(static_cast<std::ptrdiff_t>(writers));
    for (std::size_t writer = 0; writer < writers; ++writer) {
      loops_.spawn("test", ask_share(client, replies, {writer, writers}, command, done));
    }
    done.wait();
    return replies;
  }

  static bool eventually(const std::function<bool()>& condition, milliseconds limit = milliseconds(5000)) {
    const auto start = Stopwatch::now();
    while (!condition()) {
      if (since(start) > limit) return false;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return true;
  }
  bool answers_within(RedisClient& client, milliseconds limit, const std::string& key = "alive") {
    return eventually([&] { return ask(client, {"GET", key}, limit).has_value(); }, limit);
  }

  EventLoops loops_{4, 1};

 private:
  static Task<void> ask_into(RedisClient& client, RedisCommand command, std::string key, milliseconds timeout,
                             Result<RedisReply>& out) {
    out = co_await client.command(std::move(command), std::move(key), timeout);
  }
  static Task<void> eval_into(RedisClient& client, const RedisScript& script, std::string key,
                              std::vector<std::string> arguments, Result<RedisReply>& out) {
    out = co_await client.eval(script, std::move(key), std::move(arguments));
  }
  struct Share {
    std::size_t first;
    std::size_t step;
  };
  static Task<void> ask_share(RedisClient& client, Replies& replies, Share share,
                              std::function<RedisCommand(std::size_t)> command, std::latch& done) {
    for (std::size_t i = share.first; i < replies.size(); i += share.step) {
      RedisCommand words = command(i);
      std::string key = words.at(1);
      replies[i] = co_await client.command(std::move(words), std::move(key), milliseconds(10'000));
    }
    done.count_down();
  }
};

inline void expect_unavailable(const Result<RedisReply>& reply) {
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::unavailable) << reply.error().message;
  EXPECT_EQ(reply.error().code, "redis_unavailable");
  EXPECT_EQ(reply.error().retry_after, std::chrono::seconds(1));
  EXPECT_FALSE(reply.error().message.empty());
}

}  // namespace infra::net
