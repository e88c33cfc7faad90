#include "worker/jobs/call_function.h"

#include <exception>
#include <utility>

#include "core/error_codes.h"
#include "core/trace_context.h"
#include "telemetry/log.h"
#include "worker/instances/keep_output.h"

namespace infra::worker {
namespace {

JobResult refused(const Job& job, const Error& error) {
  JobResult result = platform_error(job, error);
  result.status = RunStatus::failed;
  return result;
}

}  // namespace

Task<Attempt> CallFunction::call(const Delivery& delivery, bool may_retry, Hold& hold, Aside& aside) {
  const Job& job = delivery.job;
  std::optional<JobResult> cold_result;
  std::exception_ptr broken;
  const auto call_cold = [&](const InstancePtr& cold) {
    try {
      const Hold::Guard guard(hold, [cold] { cold->abort(); });
      cold_result = cold->call(job, deps_.calls.begin(cold, job));
    } catch (...) {
      broken = std::current_exception();
    }
  };
  const auto obtained = co_await deps_.instances.obtain(job, call_cold, aside);
  if (!obtained) co_return not_started(job, obtained.error(), may_retry);

  const InstancePtr& instance = *obtained;
  Attempt attempt;
  try {
    if (broken) std::rethrow_exception(broken);
    attempt = co_await call_in(instance, delivery, hold, std::move(cold_result));
  } catch (...) {
    broken = std::current_exception();
  }
  if (broken) {
    deps_.calls.end(instance);
    instance->give_up_call();
    co_await deps_.places.end(instance);
    std::rethrow_exception(broken);
  }
  co_await deps_.places.put_back_or_end(instance);
  co_return attempt;
}

// A new instance has a result already.
Task<Attempt> CallFunction::call_in(const InstancePtr& instance, const Delivery& delivery, Hold& hold,
                                    std::optional<JobResult> cold_result) {
  const Job& job = delivery.job;
  Attempt attempt;
  if (cold_result) {
    attempt.result = std::move(*cold_result);
  } else {
    const Hold::Guard guard(hold, [instance] { instance->abort(); });
    const CallSetup setup = deps_.calls.begin(instance, job);
    attempt.result = co_await instance->call(job, setup, deps_.executor);
  }
  deps_.calls.end(instance);
  attempt.interrupted = hold.lost() || instance->state() == State::interrupted;
  sandbox::OutputTree output = instance->take_output();
  if (!attempt.interrupted && !output.entries.empty()) {
    co_await keep_output(deps_.code, std::move(output), delivery.receives, attempt.result);
  }
  if (!attempt.interrupted) tell_of_leftover(job, instance->leftover());
  co_return attempt;
}

Attempt CallFunction::not_started(const Job& job, const Error& error, bool may_retry) const {
  Attempt attempt;
  attempt.interrupted = deps_.lifecycle.phase() == Phase::stopping || error.code == errors::shutting_down;
  // Nothing has begun: when others have closed theirs there will be some, here or at another worker.
  attempt.hand_on =
      error.code == errors::no_descriptors || (deps_.others_take_over && error.code == errors::code_store_unavailable);
  attempt.retry_later = !attempt.interrupted && may_retry && error.kind == ErrorKind::unavailable;
  // A bundle that breaks a rule or does not compile is the function's own fault; anything else is the platform's.
  const bool own_fault =
      error.kind == ErrorKind::invalid || error.kind == ErrorKind::too_large || error.kind == ErrorKind::unusable;
  attempt.result = own_fault ? refused(job, error) : platform_error(job, error);
  log::warn("a job could not be started",
            {{"requestId", job.request_id.value}, {"traceId", trace_id_in(job.traceparent)}, {"code", error.code}});
  return attempt;
}

void CallFunction::tell_of_leftover(const Job& job, Leftover leftover) const {
  if (leftover == Leftover::nothing) return;
  log::info("an instance is not reused for what a call left in it", {{"requestId", job.request_id.value},
                                                                     {"traceId", trace_id_in(job.traceparent)},
                                                                     {"functionId", job.function_id.value},
                                                                     {"left", to_string(leftover)}});
  if (deps_.on_not_reused) deps_.on_not_reused(job.runtime, leftover);
}

}  // namespace infra::worker
