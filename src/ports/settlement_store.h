// Where settlements are put down: a job's result, its log row with the counters, and the end of its message. Engines:
// SQLite, in one transaction; any three others, one after the other (app/settle_in_steps.h).
#pragma once

#include <optional>

#include "core/error.h"
#include "core/job_result.h"
#include "core/task.h"
#include "ports/job_queue.h"
#include "ports/result_bus.h"

namespace infra {

// Any thread. Fails with `unavailable` when an engine does not answer; the same settlement may then be put down again.
class SettlementStore {
 public:
  virtual ~SettlementStore() = default;
  // Tells the waiter, keeps the result as ResultBus::publish() does, records `row` (if there is one) as
  // RunRecorder::record() does, and ends the message: a job past limits::kMaxReceives is buried with `result`'s words.
  // The message goes last or with the rest, so that what is settled is never run again. True if the row was put.
  virtual Task<Result<bool>> put(const Delivery& delivery, SharedResult result, std::optional<LogRow> row) = 0;
};

}  // namespace infra
