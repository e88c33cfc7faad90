// Epochs and strikes in infra.db: which jobs were handed out when the program died, and what that costs them. An epoch
// is one life of the program; the start of a job is a row with the number of the epoch that it was handed out in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adapters/sqlite/sqlite.h"
#include "core/code_version.h"
#include "core/error.h"
#include "core/job_result.h"
#include "core/time.h"

namespace infra {

// The job is handed out: a crash from here on costs it a strike.
[[nodiscard]] Result<void> record_start(sqlite::Connection& connection, std::int64_t seq, std::int64_t epoch);
// It was given back, not started after all.
[[nodiscard]] Result<void> take_start_back(sqlite::Connection& connection, std::int64_t seq);
// The job is settled.
[[nodiscard]] Result<void> drop_start(sqlite::Connection& connection, std::int64_t seq);

struct SuspectVersion {
  CodeVersion version;
  int jobs = 0;  // with a strike
};

struct EpochStart {
  std::int64_t epoch = 0;
  bool after_crash = false;              // the epoch before it was not ended
  std::int64_t struck = 0;               // jobs that got a strike for that
  std::vector<JobResult> given_up;       // those whose last it was, settled
  std::vector<SuspectVersion> suspects;  // of jobs with fewer; none is in quarantine
};

// One transaction of the caller's: begins an epoch, gives strikes, and settles the jobs that have had their last.
[[nodiscard]] Result<EpochStart> begin_epoch(sqlite::Connection& connection, WallTime now);
// A clean stop.
[[nodiscard]] Result<void> end_epoch(sqlite::Connection& connection, std::int64_t epoch, WallTime now);

}  // namespace infra
