#include "worker/jobs/run_job.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "core/error_codes.h"
#include "core/trace_context.h"
#include "telemetry/log.h"
#include "telemetry/task_failures.h"

namespace infra::worker {
namespace {

constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLongestRetry{5000};
constexpr milliseconds kStoreRetry{1000};  // while the code store is away
// Then the job is given back, which the queue counts as one receive more.
constexpr milliseconds kStorePatience{20'000};
constexpr int kMaxRefusals = 10;  // of an engine that answers, but not with yes

// The bytes of a job and its result, while its waiter does not listen yet.
std::optional<std::uint64_t> held_back(const Delivery& delivery, const JobResult& result) {
  if (delivery.tell_from == SteadyTime{}) return std::nullopt;
  return delivery.job.input.size() + result.out.size() + result.err.size() + result.value.size();
}

// A run at the gate. It lives as long as its run.
class AsideAtGate final : public Aside {
 public:
  AsideAtGate(RunGate& gate, const RunGate::TicketPtr& ticket, const Job& job)
      : gate_(gate), ticket_(ticket), job_(job) {}
  void step_aside() override { gate_.step_aside(ticket_, job_); }
  Task<Result<void>> come_back() override {
    if (co_await gate_.come_back(ticket_, job_)) co_return Result<void>();
    co_return fail(errors::shutting_down, "The platform is stopping.");
  }

 private:
  RunGate& gate_;
  const RunGate::TicketPtr& ticket_;
  const Job& job_;
};

}  // namespace

// What a job that is not even tried gets.
std::optional<JobResult> RunJob::refusal_of(const Delivery& delivery) const {
  if (delivery.cannot_run) return platform_error(delivery.job, *delivery.cannot_run);
  if (is_given_up(delivery)) {
    return platform_error(
        delivery.job, {errors::worker_lost, "The job was started several times, and its worker was lost each time."});
  }
  const Job& job = delivery.job;
  if (deps_.quarantine == nullptr || !deps_.quarantine->remaining(job.function_id, job.code)) return std::nullopt;
  return platform_error(job, {errors::worker_lost,
                              "The job was not started: other jobs of this version of its function took their "
                              "worker down again and again."});
}

Task<bool> RunJob::run(const Delivery& delivery, const RunGate::TicketPtr& ticket, Hold& hold) {
  const Job& job = delivery.job;
  const auto done = co_await caught("job", run_or_break(delivery, ticket, hold), job.request_id.value);
  if (done) co_return *done;
  (void)co_await caught("end of a job", deps_.gate.leave(ticket, job), job.request_id.value);
  co_await settle(delivery, platform_error(job, done.error()));
  co_return true;
}

Task<Result<bool>> RunJob::run_or_break(const Delivery& delivery, const RunGate::TicketPtr& ticket, Hold& hold) {
  const Job& job = delivery.job;
  if (!delivery.fresh && co_await was_settled(delivery)) co_return true;
  if (auto refusal = refusal_of(delivery)) {
    co_await deps_.gate.leave(ticket, job, held_back(delivery, *refusal));
    co_await settle(delivery, std::move(*refusal));
    if (deps_.quarantine != nullptr && is_given_up(delivery)) co_await deps_.quarantine->note_lost(job);
    co_return true;
  }
  const bool permitted = !deps_.give_back.is_due_for(job) && co_await deps_.gate.take_permit(ticket, job);
  const auto begun = deps_.clock.steady_now();
  const bool may_retry = deps_.give_back.is_allowed_for(job) && delivery.receives < limits::kMaxReceives;
  AsideAtGate aside(deps_.gate, ticket, job);
  Attempt attempt;
  attempt.interrupted = !permitted;
  if (permitted && deps_.on_begun) deps_.on_begun(job, std::max<milliseconds>(deps_.clock.now() - job.accepted_at, {}));
  if (permitted && deps_.live != nullptr && deps_.live->is_wanted())
    deps_.live->tell(run_started(job.function_id, job.request_id, deps_.id, deps_.clock.now()));
  if (permitted) attempt = co_await deps_.function.call(delivery, may_retry, hold, aside);
  // It keeps its slot meanwhile: a worker whose store is away takes few jobs.
  while (attempt.hand_on && deps_.clock.steady_now() - begun < kStorePatience &&
         co_await deps_.lifecycle.wait_within(Phase::running, kStoreRetry)) {
    attempt = co_await deps_.function.call(delivery, may_retry, hold, aside);
  }
  co_await deps_.gate.leave(ticket, job, held_back(delivery, attempt.result));
  if (hold.lost()) {
    log::warn("a run was stopped: its job is another worker's by now",
              {{"requestId", job.request_id.value}, {"traceId", trace_id_in(job.traceparent)}});
    if (deps_.on_lost) deps_.on_lost(job);
    co_return false;
  }
  // Who waits for it here is told, and may come again.
  if (attempt.hand_on && deps_.give_back.is_allowed_for(job)) {
    co_await deps_.give_back.give_back(delivery.receipt);
    co_return false;
  }
  if (attempt.retry_later && !attempt.hand_on) co_return false;
  if (attempt.interrupted) {
    if (deps_.give_back.is_allowed_for(job)) {
      co_await deps_.give_back.give_back(delivery.receipt);
      co_return false;
    }
    attempt.result =
        platform_error(job, {errors::shutting_down, "The platform is stopping, and the function was stopped with it."});
  }
  // Beside the settlement, which it is not to make longer.
  if (job.max_concurrency > 0) {
    deps_.tasks.spawn("end of a permit",
                      deps_.gate.finish(ticket, {.function = job.function_id, .request = job.request_id}));
  }
  attempt.result.duration_ms = std::chrono::duration<double, std::milli>(deps_.clock.steady_now() - begun).count();
  co_await settle(delivery, std::move(attempt.result));
  co_return true;
}

// True if there is nothing to run: it has its result, or whether it has one is unknown.
Task<bool> RunJob::was_settled(const Delivery& delivery) {
  milliseconds pause = kFirstRetry;
  while (true) {
    const auto settled = co_await deps_.settlement.is_settled(delivery.job);
    if (settled && !*settled) co_return false;
    if (settled) {
      const auto acknowledged = co_await deps_.queue.acknowledge(delivery.receipt);
      if (!acknowledged)
        log::warn("a settled job could not be acknowledged",
                  {{"requestId", delivery.job.request_id.value}, {"traceId", trace_id_in(delivery.job.traceparent)}});
      co_return true;
    }
    if (deps_.lifecycle.phase() == Phase::stopping) co_return true;
    co_await deps_.clock.sleep_until(deps_.clock.steady_now() + pause);
    pause = std::min(pause * 2, kLongestRetry);
  }
}

// It has its result by now, and gets no other for what breaks here.
void RunJob::tell_of_end(const JobResult& result, const Job& job, SteadyTime from) const {
  try {
    if (deps_.on_finished) deps_.on_finished(result, job);
    if (deps_.on_settled) {
      deps_.on_settled(result, job, {.settled = deps_.clock.now(), .settlement = deps_.clock.steady_now() - from});
    }
  } catch (...) {
    report_task_failure("end of a job", std::current_exception(), result.request_id.value);
  }
}

Task<void> RunJob::settle(const Delivery& delivery, JobResult result) {
  result.worker_id = deps_.id;
  deps_.settlement.complete(delivery.job, result);
  const auto shared = std::make_shared<const JobResult>(std::move(result));
  if (delivery.tell_from > SteadyTime{}) co_await deps_.clock.sleep_until(delivery.tell_from);
  const SteadyTime from = deps_.clock.steady_now();
  milliseconds pause = kFirstRetry;
  for (int refusals = 0; refusals < kMaxRefusals;) {
    const auto settled =
        co_await caught("settlement", deps_.settlement.settle(delivery, shared), shared->request_id.value);
    if (settled) {
      tell_of_end(*shared, delivery.job, from);
      co_return;
    }
    log::warn("settling failed",
              {{"requestId", shared->request_id.value}, {"traceId", shared->trace_id}, {"code", settled.error().code}});
    if (deps_.lifecycle.phase() == Phase::stopping) co_return;
    if (settled.error().kind != ErrorKind::unavailable) ++refusals;
    co_await deps_.clock.sleep_until(deps_.clock.steady_now() + pause);
    pause = std::min(pause * 2, kLongestRetry);
  }
  log::error("giving up on settling; the lease runs out",
             {{"requestId", shared->request_id.value}, {"traceId", shared->trace_id}});
}

}  // namespace infra::worker
