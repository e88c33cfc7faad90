// The execution log in infra.db, with a sweep for rows that have expired.
#pragma once

#include "adapters/sqlite/database.h"
#include "ports/log_store.h"

namespace infra {

class SqliteLogStore final : public LogStore {
 public:
  explicit SqliteLogStore(Database& database) : database_(database) {}

  Task<Result<LogPage>> list(const LogQuery& query) override;
  Task<Result<LogRow>> find(const FunctionId& function, const RequestId& request) override;

  // Deletes what has expired by `now`, some rows a transaction so that other writes get in between.
  Task<Result<void>> sweep(WallTime now);

 private:
  Database& database_;
};

}  // namespace infra
