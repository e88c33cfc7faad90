// Configuration items in infra.db, an item a row.
#pragma once

#include <string>

#include "adapters/sqlite/database.h"
#include "ports/configuration_store.h"

namespace infra {

class SqliteConfigurationStore final : public ConfigurationStore {
 public:
  explicit SqliteConfigurationStore(Database& database) : database_(database) {}

  Task<Result<std::optional<ConfigurationItem>>> get(const ConfigurationKey& key) override;
  Task<Result<void>> put_new(const ConfigurationItem& item) override;
  Task<Result<void>> replace(const ConfigurationItem& item, const ConfigurationCondition& condition) override;
  Task<Result<void>> remove(const ConfigurationKey& key, const ConfigurationCondition& condition) override;
  Task<Result<ConfigurationPage>> query(const std::string& partition, const std::string& after, int limit) override;

  // Deletes what has expired by then.
  Task<Result<void>> sweep(WallTime now);

 private:
  Database& database_;
};

}  // namespace infra
