// Health of a DynamoDB table: a read of a row that is not there.
#pragma once

#include <string>
#include <vector>

#include "adapters/aws/aws_client.h"
#include "ports/health_probe.h"

namespace infra {

class DynamoDbProbe final : public HealthProbe {
 public:
  // `key` are the attributes of the table's key, all text.
  DynamoDbProbe(std::string name, aws::AwsClient& dynamodb, std::string table, std::vector<std::string> key);
  [[nodiscard]] std::string name() const override { return name_; }
  Task<Result<void>> probe() override;

 private:
  const std::string name_;
  aws::AwsClient& dynamodb_;
  const std::string table_;
  const std::vector<std::string> key_;
};

}  // namespace infra
