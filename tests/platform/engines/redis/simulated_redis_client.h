// One simulated process' client of the simulated Redis. It connects, waits, gives up and fails as net::HiredisClient.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "platform/engines/redis/simulated_redis.h"

namespace infra::testing {

class SimulatedRedisClient final : public net::RedisClient {
 public:
  // All are borrowed; clock and executor are the process'. Of the options the time-outs count.
  SimulatedRedisClient(SimulatedRedis& redis, Clock& clock, Executor& executor, net::RedisOptions options = {});
  ~SimulatedRedisClient() override;
  SimulatedRedisClient(const SimulatedRedisClient&) = delete;
  SimulatedRedisClient& operator=(const SimulatedRedisClient&) = delete;

  using RedisClient::command;
  using RedisClient::eval;
  void start() override;
  Task<Result<net::RedisReply>> command(net::RedisCommand command, std::string key, milliseconds timeout) override;
  Task<Result<net::RedisReply>> eval(const net::RedisScript& script, std::string key,
                                     std::vector<std::string> arguments, milliseconds timeout) override;
  [[nodiscard]] bool connected() const override;

  // From now on nothing that it sends arrives, and it hears nothing; when it is over, the connection of before breaks.
  void cut_off(bool is_cut_off);
  // Its process has crashed. Of the commands under way each was sent or not, as the seed decides, and none is answered;
  // others fail, without effect.
  void crash();

 private:
  struct State;
  Executor& executor_;
  std::shared_ptr<State> state_;
};

}  // namespace infra::testing
