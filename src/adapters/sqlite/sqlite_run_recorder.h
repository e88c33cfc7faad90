// Finished runs in infra.db. Row, counters and the minute's sums are one write, so that not even a crash leaves one
// without the others.
#pragma once

#include <memory>

#include "adapters/sqlite/database.h"
#include "adapters/sqlite/sqlite_function_store.h"
#include "ports/run_recorder.h"

namespace infra {

// Row, counters and the minute's sums; true if the row was put. An error is to undo them all.
[[nodiscard]] Result<bool> put_run(sqlite::Connection& connection, const LogRow& row);

class SqliteRunRecorder final : public RunRecorder {
 public:
  // Keeps the counters in the memory of `functions` as they are on disk.
  SqliteRunRecorder(Database& database, SqliteFunctionStore& functions)
      : database_(database), cache_(functions.cache()) {}

  Task<Result<bool>> record(const LogRow& row) override;
  // What record() writes, as a part of a larger write. `won` is set as put_run() says.
  [[nodiscard]] Database::Write writing(std::shared_ptr<const LogRow> row, std::shared_ptr<bool> won) const;

 private:
  Database& database_;
  const std::shared_ptr<FunctionCache> cache_;
};

}  // namespace infra
