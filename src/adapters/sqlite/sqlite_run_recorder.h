// Finished runs in infra.db. Row and counters are one write, so that not even a crash leaves one without the other.
#pragma once

#include <memory>

#include "adapters/sqlite/database.h"
#include "adapters/sqlite/sqlite_function_store.h"
#include "ports/run_recorder.h"

namespace infra {

class SqliteRunRecorder final : public RunRecorder {
 public:
  // Keeps the counters in the memory of `functions` as they are on disk.
  SqliteRunRecorder(Database& database, SqliteFunctionStore& functions)
      : database_(database), cache_(functions.cache()) {}

  Task<Result<bool>> record(const LogRow& row) override;

 private:
  Database& database_;
  const std::shared_ptr<FunctionCache> cache_;
};

}  // namespace infra
