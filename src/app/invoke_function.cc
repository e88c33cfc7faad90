#include "app/invoke_function.h"

namespace infra::app {

Task<Result<SharedResult>> InvokeFunction::run(Invocation invocation) {
  auto function = co_await functions_.find(invocation.function);
  if (!function) co_return fail(function.error());

  Job job;
  job.request_id = std::move(invocation.id);
  job.function_id = std::move(invocation.function);
  job.runtime = function->runtime;
  job.memory_mb = function->memory_mb;
  job.timeout = function->timeout;
  job.network = function->network;
  job.keep_warm = function->keep_warm;
  job.max_concurrency = function->max_concurrency;
  job.code = std::move(function->code);
  job.input = std::move(invocation.input);
  job.model_id = std::move(invocation.model_id);
  job.env = std::move(function->env);
  job.mode = invocation.mode;
  job.reply_to = results_.reply_channel();
  job.accepted_at = clock_.now();
  job.traceparent = std::move(invocation.traceparent);
  if (job.mode == RunMode::sync) co_return co_await run_sync(std::move(job));
  co_return co_await run_async(std::move(job));
}

Task<Result<SharedResult>> InvokeFunction::run_sync(Job job) {
  const SteadyTime deadline = clock_.steady_now() + limits::kSyncWait;
  auto waiter = co_await results_.expect(job.request_id);
  if (!waiter) co_return fail(waiter.error());
  if (auto queued = co_await queue_.enqueue(job); !queued) co_return fail(queued.error());
  auto result = co_await (*waiter)->wait_until(deadline);
  if (!result && result.error().kind == ErrorKind::timeout) {
    co_return fail(ErrorKind::timeout, "wait_timeout",
                   "The function is still running; ask GET /status with the jobId for its result.");
  }
  co_return result;
}

Task<Result<SharedResult>> InvokeFunction::run_async(Job job) {
  if (auto marked = co_await results_.mark_pending(job.request_id); !marked) co_return fail(marked.error());
  if (auto queued = co_await queue_.enqueue(job); !queued) {
    co_await results_.forget(job.request_id);
    co_return fail(queued.error());
  }
  co_return SharedResult{};
}

}  // namespace infra::app
