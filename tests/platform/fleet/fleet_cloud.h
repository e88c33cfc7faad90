// The engines that all programs of a simulated fleet share: S3, SQS, DynamoDB and Redis, as a new fleet finds them.
#pragma once

#include <functional>
#include <string>

#include "main/env_file.h"
#include "platform/engines/aws/simulated_aws.h"
#include "platform/engines/redis/simulated_redis.h"
#include "platform/seeded_random.h"
#include "platform/virtual_world.h"

namespace infra::sim {

inline constexpr std::string_view kBucket = "infra";
inline constexpr std::string_view kFunctionsTable = "InfraFunctions";
inline constexpr std::string_view kLogsTable = "InfraExecutionLogs";

class FleetCloud {
 public:
  // The world must outlive it, and it the programs.
  // `complain` hears of requests to AWS that are not simulated; without it the program says so and ends.
  explicit FleetCloud(VirtualWorld& world, testing::SimulatedRedisOptions redis = {},
                      std::function<void(const std::string&)> complain = {});

  [[nodiscard]] simulation::SimulatedAws& aws() { return aws_; }
  [[nodiscard]] testing::SimulatedRedis& redis() { return redis_; }
  [[nodiscard]] simulation::SqsQueue& queue() { return aws_.sqs().queue_at(queue_url_); }
  [[nodiscard]] simulation::SqsQueue& dead_letters() { return aws_.sqs().queue_at(dead_url_); }
  // What every program of the fleet is configured with.
  [[nodiscard]] Variables variables() const;
  // Whether the log has a row of the run: as DynamoDB has it, whoever may know.
  [[nodiscard]] bool has_row(const std::string& function, const std::string& request);

 private:
  Process& process_;
  MachineTime time_;
  VirtualClock clock_;
  VirtualExecutor executor_;
  SeededRandom aws_random_, redis_random_;
  simulation::SimulatedAws aws_;
  testing::SimulatedRedis redis_;
  std::string dead_url_, queue_url_;
};

}  // namespace infra::sim
