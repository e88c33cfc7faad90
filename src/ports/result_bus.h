// The way back: a result to the request that waits for it, and kept for later requests. Engines: in process with
// SQLite, Redis.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/job_result.h"
#include "core/task.h"
#include "core/time.h"

namespace infra {

using SharedResult = std::shared_ptr<const JobResult>;

// A request's place in the waiting room; destroying it leaves the room.
class ResultWaiter {
 public:
  virtual ~ResultWaiter() = default;
  // `timeout` when the deadline passes first, `unavailable` (code shutting_down) after abandon_waiters(). At most one
  // call.
  virtual Task<Result<SharedResult>> wait_until(SteadyTime deadline) = 0;
};

// As the contract has it and as it was written, checked and not built anew.
struct StoredResult {
  std::string json{};  // empty: accepted and not finished ("pending")
  [[nodiscard]] bool finished() const { return !json.empty(); }
};

// Every method may be called from any event thread, and fails with `unavailable` when the engine does not answer.
class ResultBus {
 public:
  virtual ~ResultBus() = default;

  // Registered when it returns: call it before the job is handed out, or its result could come too early to be heard.
  virtual Task<Result<std::unique_ptr<ResultWaiter>>> expect(const RequestId& id) = 0;
  // The name that results for this program's waiters are sent to; empty on one machine.
  [[nodiscard]] virtual std::string reply_channel() const = 0;

  // So that /status says "pending" from the acceptance on.
  virtual Task<Result<void>> mark_pending(const RequestId& id) = 0;
  // Not accepted after all.
  virtual Task<Result<void>> forget(const RequestId& id) = 0;

  // Tells the waiter, if there is one, and keeps the result for limits::kResultTtl. The first result of an id stays. An
  // async job's result is durable when this returns; a sync one's is stored behind the answer.
  virtual Task<Result<void>> publish(const Job& job, SharedResult result) = 0;

  // `not_found` if it is unknown or expired.
  virtual Task<Result<StoredResult>> find(const RequestId& id) = 0;

  // Every waiter, now and later, gets `unavailable` (code shutting_down).
  virtual void abandon_waiters() = 0;
};

}  // namespace infra
