// Configuration items in DynamoDB: keys `pk` and `sk`, and `expiresAt`, the table's TTL attribute, in every item. The
// table's sweep comes when it gets to it: until then what has expired is not shown, and is no obstacle.
//
// A fleet may have no such table, and its role no right to ask for it: it does without then. Whether there is one is
// learned by look(), and by any call that finds none.
#pragma once

#include <atomic>
#include <string>

#include "adapters/aws/aws_client.h"
#include "ports/clock.h"
#include "ports/configuration_store.h"
#include "ports/health_probe.h"

namespace infra {

class DynamoDbConfigurationStore final : public ConfigurationStore {
 public:
  // `may_be_denied`: that the role may not read the table counts as there being none.
  DynamoDbConfigurationStore(aws::AwsClient& dynamodb, std::string table, const Clock& clock,
                             bool may_be_denied = false);

  [[nodiscard]] bool exists() const override { return !absent_; }
  // Asks for the table. That there is none is no failure.
  Task<Result<void>> look();

  Task<Result<std::optional<ConfigurationItem>>> get(const ConfigurationKey& key) override;
  Task<Result<void>> put_new(const ConfigurationItem& item) override;
  Task<Result<void>> replace(const ConfigurationItem& item, const ConfigurationCondition& condition) override;
  Task<Result<void>> remove(const ConfigurationKey& key, const ConfigurationCondition& condition) override;
  Task<Result<ConfigurationPage>> query(const std::string& partition, const std::string& after, int limit) override;

 private:
  Task<Result<boost::json::object>> call(const char* action, boost::json::object request, aws::Repeat repeat);
  Task<Result<void>> write(const char* action, boost::json::object request);
  [[nodiscard]] Error told(const Error& error);
  [[nodiscard]] bool has_expired(const ConfigurationItem& item) const;

  aws::AwsClient& dynamodb_;
  const std::string table_;
  const Clock& clock_;
  const bool may_be_denied_;
  std::atomic<bool> absent_ = false;
};

class ConfigurationProbe final : public HealthProbe {
 public:
  explicit ConfigurationProbe(DynamoDbConfigurationStore& store) : store_(store) {}
  [[nodiscard]] std::string name() const override { return "configuration"; }
  Task<Result<void>> probe() override { return store_.look(); }

 private:
  DynamoDbConfigurationStore& store_;
};

}  // namespace infra
