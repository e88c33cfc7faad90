#include "platform/fleet/fleet_cloud.h"

#include <algorithm>
#include <utility>

#include "adapters/aws/dynamodb/dynamodb_item.h"

namespace infra::sim {

FleetCloud::FleetCloud(VirtualWorld& world, testing::SimulatedRedisOptions redis,
                       std::function<void(const std::string&)> complain)
    : process_(world.scheduler().start_process("engines")),
      clock_(world.scheduler(), process_, time_),
      executor_(world.scheduler(), process_, clock_),
      aws_random_(world.dice().apart("aws")),
      redis_random_(world.dice().apart("redis")),
      aws_(clock_, aws_random_, std::move(complain)),
      redis_(clock_, executor_, redis_random_, redis) {
  using simulation::SimulatedDynamoDb;
  aws_.dynamodb().make_table(std::string(kFunctionsTable), SimulatedDynamoDb::functions_table());
  aws_.dynamodb().make_table(std::string(kLogsTable), SimulatedDynamoDb::logs_table());
  aws_.s3().make_bucket(std::string(kBucket));
  dead_url_ = aws_.sqs().make_queue("infra-dead");
  queue_url_ = aws_.sqs().make_queue("infra-jobs", {.dead_letters = "infra-dead"});
}

Variables FleetCloud::variables() const {
  return {{"AWS_REGION", std::string(simulation::SimulatedAws::kRegion)},
          {"AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"},
          {"AWS_SECRET_ACCESS_KEY", "secret"},
          {"BUCKET_NAME", std::string(kBucket)},
          {"TABLE_NAME", std::string(kFunctionsTable)},
          {"LOGS_TABLE_NAME", std::string(kLogsTable)},
          {"SQS_URL", queue_url_},
          {"REDIS_HOST", "redis.example"}};
}

bool FleetCloud::has_row(const std::string& function, const std::string& request) {
  return std::ranges::any_of(aws_.dynamodb().items(std::string(kLogsTable)), [&](const simulation::DynamoDbItem& row) {
    const auto text = [&](std::string_view name) { return aws::text_attribute_of(row, name); };
    return text("functionId") == function && text("requestId") == request;
  });
}

}  // namespace infra::sim
