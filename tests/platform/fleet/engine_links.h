// One program's connections to the simulated engines. They end with it as a crash ends them, in the middle of what is
// under way, and a machine that is cut off reaches nobody by them.
#pragma once

#include <set>

#include "platform/engines/aws/simulated_http_client.h"
#include "platform/engines/redis/simulated_redis_client.h"
#include "platform/engines/redis/simulated_redis_subscriber.h"
#include "platform/virtual_network.h"

namespace infra::sim {

// What is between a machine and its engines; outlives its programs.
struct Reach {
  bool is_cut_off = false;
};

class EngineLinks {
 public:
  // All must outlive it, and it the clients that it makes.
  EngineLinks(simulation::SimulatedAws& aws, testing::SimulatedRedis& redis, VirtualClock& clock,
              VirtualExecutor& executor, const Reach& reach)
      : aws_(aws), redis_(redis), clock_(clock), executor_(executor), reach_(reach) {}
  EngineLinks(const EngineLinks&) = delete;
  EngineLinks& operator=(const EngineLinks&) = delete;

  [[nodiscard]] SimulatedEngines engines();
  // Before the process is killed: of what is under way the seed decides what arrives.
  void crash();
  // The reach is another from now on.
  void reach_changed();

 private:
  class Http;
  class Commands;
  class Ear;

  simulation::SimulatedAws& aws_;
  testing::SimulatedRedis& redis_;
  VirtualClock& clock_;
  VirtualExecutor& executor_;
  const Reach& reach_;
  std::set<simulation::SimulatedHttpClient*> http_;  // those that are there
  std::set<testing::SimulatedRedisClient*> commands_;
  std::set<testing::SimulatedRedisSubscriber*> ears_;
};

}  // namespace infra::sim
