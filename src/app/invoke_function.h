// Running a function: its row is read, its waiter registered, its job handed out (in that order), its result awaited.
#pragma once

#include <string>

#include "core/job.h"
#include "ports/clock.h"
#include "ports/function_store.h"
#include "ports/job_queue.h"
#include "ports/result_bus.h"

namespace infra::app {

struct Invocation {
  RequestId id;
  FunctionId function;
  std::string input = "{}";  // JSON text
  std::string model_id;
  RunMode mode = RunMode::sync;
  std::string traceparent;
};

class InvokeFunction {
 public:
  InvokeFunction(FunctionStore& functions, JobQueue& queue, ResultBus& results, Clock& clock)
      : functions_(functions), queue_(queue), results_(results), clock_(clock) {}

  // Sync: the result. Async: null once the job is durable. `timeout` (code wait_timeout) and `unavailable` (code
  // shutting_down) mean that only the wait ended: the job's result will be at its id.
  Task<Result<SharedResult>> run(Invocation invocation);

 private:
  Task<Result<SharedResult>> run_sync(Job job);
  Task<Result<SharedResult>> run_async(Job job);

  FunctionStore& functions_;
  JobQueue& queue_;
  ResultBus& results_;
  Clock& clock_;
};

}  // namespace infra::app
