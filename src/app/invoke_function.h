// Running a function: its row is read, its limit asked, its waiter registered, its job handed out (in that order), its
// result awaited.
#pragma once

#include <string>

#include "app/function_names.h"
#include "core/api_key.h"
#include "core/job.h"
#include "ports/clock.h"
#include "ports/concurrency_limiter.h"
#include "ports/function_store.h"
#include "ports/job_queue.h"
#include "ports/live_events.h"
#include "ports/quarantine.h"
#include "ports/result_bus.h"
#include "telemetry/event_ring.h"
#include "telemetry/metrics.h"
#include "telemetry/overload.h"

namespace infra::app {

struct Invocation {
  RequestId id;
  FunctionId function;
  std::string name{};                  // in place of `function`; empty: it has none
  const FunctionList* only = nullptr;  // that the key may run; null: all
  FunctionId* found = nullptr;         // gets the function's id as soon as its row is read; may be null
  std::string input = "{}";            // JSON text
  std::string model_id;
  RunMode mode = RunMode::sync;
  std::string traceparent;
};

struct InvokeLimits {
  ConcurrencyLimiter& limiter;             // of functions that have a limit of runs at once
  int max_waiting = 100;                   // a function's runs beyond those that may go on at once
  const Overload* overload = nullptr;      // null: asynchronous runs are always taken
  const Quarantine* quarantine = nullptr;  // null: there is none
};

// Whether what run() fails with ended the wait only: the job goes on, and its id says where its result will be.
[[nodiscard]] bool job_goes_on(const Error& error);

class InvokeFunction {
 public:
  InvokeFunction(FunctionStore& functions, JobQueue& queue, ResultBus& results, Clock& clock, EventRing& events,
                 Metrics& metrics, InvokeLimits limits, FunctionNames* names = nullptr, LiveEvents* live = nullptr)
      : functions_(functions),
        names_(names),
        live_(live),
        queue_(queue),
        results_(results),
        clock_(clock),
        events_(events),
        metrics_(metrics),
        limits_(limits) {}

  // `forbidden` (code key_not_allowed) for a function that is none of `only`, or for a name that finds none then.
  // `conflict` (code function_has_no_code) for a row that names none. `unavailable` (code function_quarantined) for a
  // version whose jobs took their worker down. `rate_limited` (code function_busy) when as many runs as may wait for
  // this function's limit do; storage_full or overloaded for an async one while load is shed; nothing is left of it.
  // Sync: the result. Async: null once the job is durable. `timeout` (code wait_timeout) and `unavailable` (code
  // shutting_down) mean that only the wait ended: the job's result will be at its id.
  Task<Result<SharedResult>> run(Invocation invocation);

 private:
  Task<Result<Function>> find(const Invocation& invocation);
  [[nodiscard]] Result<void> check_quarantine(const Function& function) const;
  Task<Result<void>> admit(const Job& job);
  Task<Result<SharedResult>> hand_out(Job job);
  Task<Result<SharedResult>> hand_out_watched(Job job);
  Task<Result<SharedResult>> run_sync(Job job);
  Task<Result<SharedResult>> run_async(Job job);

  FunctionStore& functions_;
  FunctionNames* const names_;  // null: invocations have no names
  LiveEvents* const live_;      // null: nobody looks on
  JobQueue& queue_;
  ResultBus& results_;
  Clock& clock_;
  EventRing& events_;
  Metrics& metrics_;
  const InvokeLimits limits_;
};

}  // namespace infra::app
