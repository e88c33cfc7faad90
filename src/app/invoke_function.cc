#include "app/invoke_function.h"

#include <fmt/format.h>

#include "core/error_codes.h"
#include "telemetry/log.h"

namespace infra::app {
namespace {

Task<void> withdraw(ConcurrencyLimiter& limiter, LimitedRun run) {
  const auto withdrawn = co_await limiter.withdraw(run);
  if (!withdrawn) log::warn("a run counts on until its time is over", {{"code", withdrawn.error().code}});
}

}  // namespace

bool job_goes_on(const Error& error) {
  return error.code == errors::wait_timeout || error.code == errors::shutting_down;
}

Task<Result<SharedResult>> InvokeFunction::run(Invocation invocation) {
  if (invocation.mode == RunMode::async && limits_.overload != nullptr) {
    if (auto taken = limits_.overload->admit(Action::shed_async); !taken) co_return fail(taken.error());
  }
  auto function = co_await find(invocation);
  if (!function) co_return fail(function.error());
  if (invocation.found != nullptr) *invocation.found = function->id;
  if (function->code.key.empty()) co_return fail(function_has_no_code());
  if (auto taken = check_quarantine(*function); !taken) co_return fail(taken.error());

  Job job;
  job.request_id = std::move(invocation.id);
  job.function_id = std::move(function->id);
  job.settings() = std::move(function->settings());
  job.code = std::move(function->code);
  job.input = std::move(invocation.input);
  job.model_id = std::move(invocation.model_id);
  job.mode = invocation.mode;
  job.reply_to = results_.reply_channel();
  job.accepted_at = clock_.now();
  job.traceparent = std::move(invocation.traceparent);
  if (job.max_concurrency == 0) co_return co_await hand_out(std::move(job));
  if (auto admitted = co_await admit(job); !admitted) co_return fail(admitted.error());
  const LimitedRun run{.function = job.function_id, .request = job.request_id};
  auto result = co_await hand_out(std::move(job));
  if (!result && !job_goes_on(result.error())) co_await withdraw(limits_.limiter, run);
  co_return result;
}

Task<Result<Function>> InvokeFunction::find(const Invocation& invocation) {
  const bool by_name = names_ != nullptr && !invocation.name.empty();
  if (!by_name && !is_among(invocation.only, invocation.function)) co_return fail(function_not_allowed());
  auto function = by_name ? co_await names_->find(invocation.name) : co_await functions_.find(invocation.function);
  if (invocation.only == nullptr || !by_name) co_return function;
  const bool none = !function && function.error().kind == ErrorKind::not_found;
  if (none || (function && !is_among(invocation.only, function->id))) co_return fail(function_not_allowed());
  co_return function;
}

Result<void> InvokeFunction::check_quarantine(const Function& function) const {
  if (limits_.quarantine == nullptr) return {};
  const auto remaining = limits_.quarantine->remaining(function.id, function.code);
  if (!remaining) return {};
  metrics_.count("function_quarantined_refusals_total");
  return fail(Error{errors::function_quarantined,
                    "Three jobs of this version of the function were lost with their worker within an hour; upload new "
                    "code, or try again when the hour is over.",
                    std::chrono::ceil<std::chrono::seconds>(*remaining)});
}

// Where the limiter is away, the job goes on: a worker lets it wait for its place, so that the limit holds all the
// same.
Task<Result<void>> InvokeFunction::admit(const Job& job) {
  const int most = job.max_concurrency + limits_.max_waiting;
  const auto admitted = co_await limits_.limiter.admit({.function = job.function_id, .request = job.request_id}, most);
  if (!admitted) log::warn("a run could not be counted", {{"code", admitted.error().code}});
  if (!admitted || *admitted) co_return Result<void>{};
  metrics_.count("function_busy_refusals_total");
  co_return fail(Error{errors::function_busy,
                       fmt::format("The function runs at most {} times at once (its maxConcurrency), and {} more runs "
                                   "wait for a place; try again in a moment.",
                                   job.max_concurrency, limits_.max_waiting),
                       std::chrono::seconds{1}});
}

Task<Result<SharedResult>> InvokeFunction::hand_out(Job job) {
  events_.run_requested(job.function_id, job.request_id);
  if (live_ != nullptr && live_->is_wanted()) return hand_out_watched(std::move(job));
  return job.mode == RunMode::sync ? run_sync(std::move(job)) : run_async(std::move(job));
}

// Told before, so that what a worker tells comes after it.
Task<Result<SharedResult>> InvokeFunction::hand_out_watched(Job job) {
  const FunctionId function = job.function_id;
  const RequestId request = job.request_id;
  live_->tell(run_accepted(function, request, clock_.now()));
  auto result = co_await (job.mode == RunMode::sync ? run_sync(std::move(job)) : run_async(std::move(job)));
  if (!result && !job_goes_on(result.error())) live_->tell(run_refused(function, request, clock_.now()));
  co_return result;
}

Task<Result<SharedResult>> InvokeFunction::run_sync(Job job) {
  const SteadyTime deadline = clock_.steady_now() + limits::kSyncWait;
  auto waiter = co_await results_.expect(job.request_id);
  if (!waiter) co_return fail(waiter.error());
  if (auto queued = co_await queue_.enqueue(job); !queued) co_return fail(queued.error());
  auto result = co_await (*waiter)->wait_until(deadline);
  if (!result && result.error().kind == ErrorKind::timeout) {
    events_.wait_ended(job.function_id, job.request_id);
    co_return fail(errors::wait_timeout,
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
