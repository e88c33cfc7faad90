// Sums of runs by minute and by hour in infra.db, a row each, added to in the transaction of the run's log row.
#pragma once

#include "adapters/sqlite/database.h"
#include "ports/run_series.h"

namespace infra {

// A part of put_run()'s transaction.
[[nodiscard]] Result<void> add_to_series(sqlite::Connection& connection, const LogRow& row);

class SqliteRunSeries final : public RunSeries {
 public:
  explicit SqliteRunSeries(Database& database) : database_(database) {}

  Task<Result<std::vector<RunSums>>> read(const SeriesQuery& query) override;

  // Deletes what is older than kSeriesRetention, a little at a time.
  Task<Result<void>> sweep(WallTime now);

 private:
  Database& database_;
};

}  // namespace infra
