// Health of the job queue in SQS: it exists and answers us.
#pragma once

#include <string>

#include "adapters/aws/aws_client.h"
#include "ports/health_probe.h"

namespace infra {

class SqsProbe final : public HealthProbe {
 public:
  SqsProbe(aws::AwsClient& sqs, std::string queue_url);
  [[nodiscard]] std::string name() const override { return "queue"; }
  Task<Result<void>> probe() override;

 private:
  aws::AwsClient& sqs_;
  const std::string queue_url_;
};

}  // namespace infra
