// Where a fleet's AWS services are: at their usual addresses, unless its configuration names others.
#pragma once

#include "adapters/aws/aws_client.h"
#include "main/config_variables.h"

namespace infra {

[[nodiscard]] aws::AwsService s3_of(const FleetConfig& fleet);
// At the origin of the queue's URL; at the region's if there is none yet.
[[nodiscard]] aws::AwsService sqs_of(const FleetConfig& fleet);
[[nodiscard]] aws::AwsService dynamodb_of(const FleetConfig& fleet);

}  // namespace infra
