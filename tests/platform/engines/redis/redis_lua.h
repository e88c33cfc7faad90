// Redis' scripts, run for real: Lua 5.1 with what Redis 7.0 gives a script of it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/redis/redis_client.h"

namespace infra::testing {

class RedisLua {
 public:
  // What redis.call() and redis.pcall() ask.
  using Call = std::function<net::RedisReply(const net::RedisCommand& command)>;

  explicit RedisLua(Call call);
  ~RedisLua();
  RedisLua(const RedisLua&) = delete;
  RedisLua& operator=(const RedisLua&) = delete;

  // Each source is compiled once. A script that fails is an error reply, as a client sees it; one that asks for a
  // function of Redis' that is not simulated ends the program.
  [[nodiscard]] net::RedisReply run(const net::RedisScript& script, const std::vector<std::string>& keys,
                                    const std::vector<std::string>& arguments);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace infra::testing
