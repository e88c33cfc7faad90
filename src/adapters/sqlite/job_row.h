// A job as a row of infra.db.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/memory/job_line.h"
#include "adapters/sqlite/row_codec.h"
#include "adapters/sqlite/sqlite.h"
#include "core/job.h"

namespace infra {

struct DeadLetter {
  WallTime at;
  std::string reason;
};

// `conflict` if the request id has a row.
[[nodiscard]] Result<void> insert_job(sqlite::Connection& connection, const Job& job, const QueuedJob& queued);

// One for each of `rows`, in their order; null where there is no row.
[[nodiscard]] Result<std::vector<std::shared_ptr<const Job>>> read_jobs(sqlite::Connection& connection,
                                                                        const std::vector<std::int64_t>& rows);

// The hand-over that ended in giving up counts as a receive.
[[nodiscard]] Result<void> mark_dead(sqlite::Connection& connection, const QueuedJob& queued, const DeadLetter& letter);

}  // namespace infra
