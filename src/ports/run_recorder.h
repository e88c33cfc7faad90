// The record of finished runs: log row and counters, once per run. Engines: SQLite, DynamoDB.
#pragma once

#include "core/error.h"
#include "core/job_result.h"
#include "core/task.h"

namespace infra {

// Any event thread. Fails with `unavailable` when the engine does not answer; the same row may then be recorded again.
class RunRecorder {
 public:
  virtual ~RunRecorder() = default;
  // Puts the row if its key (function, timestamp) is free, and if this call was the one that put it, adds the run to
  // its function's counters; true if it was. Durable when it returns; the LogStore shows it at once, the FunctionStore
  // within 2 s. A function that is gone is not brought back; its run is logged all the same. The row decides: an engine
  // that can't write both as one may lose a count when it fails between them, and never counts twice.
  virtual Task<Result<bool>> record(const LogRow& row) = 0;
};

}  // namespace infra
