// Settlements on one machine: result, log row, counters and the end of the job are one transaction, so that a crash
// leaves all of a settlement or nothing, and nothing that is settled is ever run again.
#pragma once

#include "adapters/sqlite/database.h"
#include "adapters/sqlite/sqlite_job_queue.h"
#include "adapters/sqlite/sqlite_result_bus.h"
#include "adapters/sqlite/sqlite_run_recorder.h"
#include "ports/settlement_store.h"

namespace infra {

class SqliteSettlementStore final : public SettlementStore {
 public:
  SqliteSettlementStore(Database& database, SqliteResultBus& results, SqliteRunRecorder& recorder,
                        SqliteJobQueue& queue)
      : database_(database), results_(results), recorder_(recorder), queue_(queue) {}

  // Returns when it is on the disk. No client waits for that.
  Task<Result<bool>> put(const Delivery& delivery, SharedResult result, std::optional<LogRow> row) override;

 private:
  Database& database_;
  SqliteResultBus& results_;
  SqliteRunRecorder& recorder_;
  SqliteJobQueue& queue_;
};

}  // namespace infra
