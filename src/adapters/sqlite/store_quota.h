// Keeps infra.db within its part of the disk. Log rows live for a month and results for an hour, and a run may write a
// few MiB of both: who has written most loses its oldest rows first. When none may go, the sums for charts do.
#pragma once

#include <cstdint>

#include "adapters/sqlite/database.h"

namespace infra {

// Referenced objects must outlive it.
class StoreQuota {
 public:
  StoreQuota(Database& database, std::uint64_t most_bytes) : database_(database), most_bytes_(most_bytes) {}

  // Deletes log rows and results, some at a time, while the file holds more than it may. Rows of jobs that are not
  // finished stay. Call it every now and then, one at a time.
  Task<Result<void>> keep();

 private:
  Task<Result<std::uint64_t>> held();
  Task<Result<bool>> delete_some();  // false: nothing may go

  Database& database_;
  const std::uint64_t most_bytes_;
};

}  // namespace infra
