// The real one, over one connection a server: pipelined, found again after a loss, and sent to whichever node of a
// cluster has the key. The protocol is hiredis' reader's; the socket, plain or TLS, is Asio's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/loops/event_loops.h"
#include "net/redis/redis_client.h"

namespace infra::net {

// The loops must outlive it.
class HiredisClient final : public RedisClient {
 public:
  HiredisClient(EventLoops& loops, RedisOptions options);  // throws std::runtime_error if `ca_file` can't be read
  ~HiredisClient() override;
  HiredisClient(const HiredisClient&) = delete;
  HiredisClient& operator=(const HiredisClient&) = delete;

  using RedisClient::command;
  using RedisClient::eval;
  void start() override;
  Task<Result<RedisReply>> command(RedisCommand command, std::string key, milliseconds timeout) override;
  Task<Result<RedisReply>> eval(const RedisScript& script, std::string key, std::vector<std::string> arguments,
                                milliseconds timeout) override;
  [[nodiscard]] bool connected() const override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace infra::net
