#include "platform/fleet/fleet_settings.h"

#include <utility>

#include "platform/conditions.h"

namespace infra::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kHistory{3000};  // of Redis' writes, which a failover may lose

testing::SimulatedRedisOptions quiet_redis() {
  return {.least_latency = microseconds(50), .most_latency = microseconds(900), .history = kHistory};
}

simulation::AwsFaults quiet_aws() {
  simulation::AwsFaults faults;
  faults.sqs.latency_least = faults.dynamodb.latency_least = milliseconds(1);
  faults.sqs.latency_most = milliseconds(15);
  faults.dynamodb.latency_most = milliseconds(10);
  faults.s3.latency_least = milliseconds(5);
  faults.s3.latency_most = milliseconds(40);
  return faults;
}

void let_fail(simulation::ConnectionFaults& faults, double share) {
  faults.unreachable = faults.cut = faults.failed = faults.failed_after = share / 4;
}

}  // namespace

FleetOptions fleet_options_for(const Scenario& scenario, const std::shared_ptr<Dice>& dice, const bool& faults_over) {
  EmbeddedOptions machine = options_for(scenario, dice, faults_over);
  FleetOptions options;
  options.controllers = static_cast<std::size_t>(scenario.fleet->controllers);
  options.workers = static_cast<std::size_t>(scenario.fleet->workers);
  options.redis = quiet_redis();
  options.machine.sandboxes = machine.sandboxes;
  options.machine.variables = std::move(machine.variables);
  options.machine.launch_takes = std::move(machine.launch_takes);
  options.machine.launch_fails = std::move(machine.launch_fails);
  return options;
}

void set_faults(FleetCloud& cloud, const FleetPart& fleet) {
  const double share = fleet.share;
  simulation::AwsFaults aws = quiet_aws();
  if (fleet.has(FleetFault::sqs_copies)) aws.sqs.copied = aws.sqs.twice_at_once = aws.sqs.undeleted = share;
  if (fleet.has(FleetFault::sqs_reorders)) aws.sqs.reordered = aws.sqs.delayed = share;
  if (fleet.has(FleetFault::sqs_forgets)) aws.sqs.forgotten = share;
  if (fleet.has(FleetFault::sqs_polls))
    aws.sqs.empty_poll = aws.sqs.short_poll = aws.sqs.abandoned_poll = aws.sqs.miscounted = share;
  if (fleet.has(FleetFault::sqs_fails)) {
    let_fail(aws.sqs, share);
    aws.sqs.silent = aws.sqs.throttled = aws.sqs.entry_failed = aws.sqs.entry_throttled = share / 4;
  }
  if (fleet.has(FleetFault::dynamo_refuses)) aws.dynamodb.throttled = aws.dynamodb.unprocessed = share;
  if (fleet.has(FleetFault::dynamo_fails)) let_fail(aws.dynamodb, share);
  if (fleet.has(FleetFault::dynamo_late)) aws.dynamodb.silent = aws.dynamodb.slow = share / 2;
  if (fleet.has(FleetFault::dynamo_stale)) aws.dynamodb.stale = share;
  if (fleet.has(FleetFault::s3_fails)) {
    let_fail(aws.s3, share);
    aws.s3.cut_body = aws.s3.broken_200 = share / 2;
  }
  if (fleet.has(FleetFault::s3_slow)) aws.s3.slow = aws.s3.throttled = aws.s3.silent = share / 2;
  cloud.aws().faults() = aws;

  // A job asks Redis for some twenty things.
  const double of_commands = share / 10;
  testing::SimulatedRedisOptions redis = quiet_redis();
  if (fleet.has(FleetFault::redis_drops)) {
    redis.unheard = share;
    redis.lost_unapplied = redis.lost_applied = of_commands;
  }
  if (fleet.has(FleetFault::redis_late)) redis.held_up = of_commands;
  if (fleet.has(FleetFault::redis_refuses)) redis.not_now = of_commands;
  if (fleet.has(FleetFault::redis_freezes)) redis.frozen = of_commands / 50;
  cloud.redis().set_options(redis);
}

void end_faults(FleetCloud& cloud) {
  cloud.aws().faults() = quiet_aws();
  cloud.redis().set_options(quiet_redis());
}

}  // namespace infra::sim
