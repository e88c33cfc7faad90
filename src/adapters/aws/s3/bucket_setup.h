// Makes the bucket with the rules by which its objects expire, or says what it is instead.
#pragma once

#include <string>
#include <vector>

#include "adapters/aws/aws_client.h"
#include "adapters/aws/resource_report.h"

namespace infra::aws {

// The bucket, and its rules if there is one. Rules of others are left alone: they, and ours, are one document to S3,
// which is written only where it has none but ours. Outlived by its arguments. Any event thread.
Task<std::vector<ResourceReport>> set_up_bucket(AwsClient& s3, std::string bucket, OnMissing how);

}  // namespace infra::aws
