// One simulated process' ear at the simulated Redis, which loses its connection and finds it again as
// net::HiredisSubscriber does.
#pragma once

#include <memory>

#include "net/redis/redis_subscriber.h"
#include "platform/engines/redis/simulated_redis.h"

namespace infra::testing {

class SimulatedRedisSubscriber final : public net::RedisSubscriber {
 public:
  // All are borrowed; clock and executor are the process'. Of the options the time to connect counts.
  SimulatedRedisSubscriber(SimulatedRedis& redis, Clock& clock, Executor& executor, net::RedisSubscription subscription,
                           net::RedisOptions options = {});
  ~SimulatedRedisSubscriber() override;
  SimulatedRedisSubscriber(const SimulatedRedisSubscriber&) = delete;
  SimulatedRedisSubscriber& operator=(const SimulatedRedisSubscriber&) = delete;

  void start() override;
  [[nodiscard]] bool subscribed() const override;
  // By Clock::pause_until(): in a simulation on one of its blocking fibers.
  bool wait_until_subscribed(milliseconds limit) const override;

  // From now on it hears nothing, and notices by the silence; when it is over, it finds the server again.
  void cut_off(bool is_cut_off);
  // Its process has crashed: no callback any more.
  void crash();

 private:
  struct State;
  Executor& executor_;
  std::shared_ptr<State> state_;
};

}  // namespace infra::testing
