// Configuration items in DynamoDB: keys `pk` and `sk`, and `expiresAt`, the table's TTL attribute, in every item. The
// table's sweep comes when it gets to it: until then what has expired is not shown, and is no obstacle.
#pragma once

#include <string>

#include "adapters/aws/aws_client.h"
#include "ports/clock.h"
#include "ports/configuration_store.h"

namespace infra {

class DynamoDbConfigurationStore final : public ConfigurationStore {
 public:
  DynamoDbConfigurationStore(aws::AwsClient& dynamodb, std::string table, const Clock& clock);

  Task<Result<std::optional<ConfigurationItem>>> get(const ConfigurationKey& key) override;
  Task<Result<void>> put_new(const ConfigurationItem& item) override;
  Task<Result<void>> replace(const ConfigurationItem& item, const ConfigurationCondition& condition) override;
  Task<Result<void>> remove(const ConfigurationKey& key, const ConfigurationCondition& condition) override;
  Task<Result<ConfigurationPage>> query(const std::string& partition, const std::string& after, int limit) override;

 private:
  Task<Result<void>> write(const char* action, boost::json::object request);
  [[nodiscard]] bool has_expired(const ConfigurationItem& item) const;

  aws::AwsClient& dynamodb_;
  const std::string table_;
  const Clock& clock_;
};

}  // namespace infra
