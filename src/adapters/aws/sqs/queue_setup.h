// Makes the job queue and the one for its dead letters, or says what they are instead.
#pragma once

#include <string>
#include <vector>

#include "adapters/aws/aws_client.h"
#include "adapters/aws/resource_report.h"

namespace infra::aws {

struct QueuesSetUp {
  std::vector<ResourceReport> reports;  // the dead letters' first
  std::string url{};                    // of the job queue; empty: there is none
};

// `name` may end in .fifo; the dead letters' queue is called the same with "-dead" behind. Outlived by its arguments.
// Any event thread.
Task<QueuesSetUp> set_up_queues(AwsClient& sqs, std::string name, OnMissing how);

}  // namespace infra::aws
