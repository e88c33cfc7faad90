// Worker's life of one job: leased, perhaps settled before, run in an instance, settled.
#include <algorithm>
#include <chrono>

#include "core/job_result.h"
#include "telemetry/log.h"
#include "worker/instances/keep_output.h"
#include "worker/worker.h"

namespace infra::worker {
namespace {

constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLongestRetry{5000};
constexpr milliseconds kStoreRetry{1000};  // while the code store is away
constexpr milliseconds kStorePatience{
    20'000};                      // then the job is given back, which the queue counts as one receive more
constexpr int kMaxRefusals = 10;  // of an engine that answers, but not with yes

// What a job that is not even tried gets.
std::optional<JobResult> refusal_of(const Delivery& delivery) {
  if (delivery.cannot_run) return platform_error(delivery.job, delivery.cannot_run->code, delivery.cannot_run->message);
  if (delivery.receives <= limits::kMaxReceives) return std::nullopt;
  return platform_error(delivery.job, "worker_lost",
                        "The job was started several times, and its worker was lost each time.");
}

// The bytes of a job and its result, while its waiter does not listen yet.
std::optional<std::uint64_t> held_back(const Delivery& delivery, const JobResult& result) {
  if (delivery.tell_from == SteadyTime{}) return std::nullopt;
  return delivery.job.input.size() + result.out.size() + result.err.size() + result.value.size();
}

JobResult refused(const Job& job, std::string code, std::string message) {
  JobResult result = platform_error(job, std::move(code), std::move(message));
  result.status = RunStatus::failed;
  return result;
}

}  // namespace

Task<void> Worker::handle(Delivery delivery, RunGate::TicketPtr ticket) {
  const auto done = deps_.clock.make_signal();
  const auto closed = deps_.clock.make_signal();
  spawn_counted(keep_lease(delivery.receipt, done));
  if (delivery.job.max_concurrency > 0) {
    spawn_counted(
        keep_permit(ticket, {.function = delivery.job.function_id, .request = delivery.job.request_id}, closed));
  }
  co_await gate_.take_slot(ticket);
  const bool gone = co_await process(delivery, ticket);
  done->notify();
  closed->notify();
  co_await gate_.close(ticket, delivery.job, gone);
  --active_jobs_;
  changed_.notify_all();
}

// False if the job goes back to the queue.
Task<bool> Worker::process(const Delivery& delivery, const RunGate::TicketPtr& ticket) {
  const Job& job = delivery.job;
  if (!delivery.fresh && co_await was_settled(delivery)) co_return true;
  if (auto refusal = refusal_of(delivery)) {
    co_await gate_.leave(ticket, job, held_back(delivery, *refusal));
    co_await settle(delivery, std::move(*refusal));
    co_return true;
  }
  const bool permitted = !gives_up(job) && co_await gate_.take_permit(ticket, job);
  const auto begun = deps_.clock.steady_now();
  const bool may_retry = can_be_given_back(job) && delivery.receives < limits::kMaxReceives;
  Attempt attempt;
  attempt.interrupted = !permitted;
  if (permitted) attempt = co_await execute(job, may_retry);
  while (attempt.hand_on && deps_.clock.steady_now() - begun < kStorePatience && co_await stays_running(kStoreRetry)) {
    attempt = co_await execute(job, may_retry);
  }
  co_await gate_.leave(ticket, job, held_back(delivery, attempt.result));
  if (attempt.hand_on) {
    co_await give_back(delivery.receipt);
    co_return false;
  }
  if (attempt.retry_later) co_return false;
  if (attempt.interrupted) {
    if (can_be_given_back(job)) {
      co_await give_back(delivery.receipt);
      co_return false;
    }
    attempt.result =
        platform_error(job, "shutting_down", "The platform is stopping, and the function was stopped with it.");
  }
  // Beside the settlement, which it is not to make longer.
  if (job.max_concurrency > 0) {
    spawn_counted(gate_.finish(ticket, {.function = job.function_id, .request = job.request_id}));
  }
  attempt.result.duration_ms = std::chrono::duration<double, std::milli>(deps_.clock.steady_now() - begun).count();
  co_await settle(delivery, std::move(attempt.result));
  co_return true;
}

// False as soon as the worker is to stop. A job that waits keeps its slot: a worker whose store is away takes few jobs.
Task<bool> Worker::stays_running(milliseconds time) {
  const auto until = deps_.clock.steady_now() + time;
  while (phase() == Phase::running && deps_.clock.steady_now() < until) {
    const auto change = changed_.prepare_wait();
    co_await change->wait_until(until);
  }
  co_return phase() == Phase::running;
}

// True if there is nothing to run: it has its result, or whether it has one is unknown.
Task<bool> Worker::was_settled(const Delivery& delivery) {
  milliseconds pause = kFirstRetry;
  while (true) {
    const auto settled = co_await deps_.settlement.is_settled(delivery.job);
    if (settled && !*settled) co_return false;
    if (settled) {
      const auto acknowledged = co_await deps_.queue.acknowledge(delivery.receipt);
      if (!acknowledged)
        log::warn("a settled job could not be acknowledged", {{"requestId", delivery.job.request_id.value}});
      co_return true;
    }
    if (phase() == Phase::stopping) co_return true;
    co_await deps_.clock.sleep_until(deps_.clock.steady_now() + pause);
    pause = std::min(pause * 2, kLongestRetry);
  }
}

Task<void> Worker::keep_lease(std::string receipt, std::shared_ptr<Signal> done) {
  while (!co_await done->wait_until(deps_.clock.steady_now() + limits::kVisibilityRenewal)) {
    const auto extended = co_await deps_.queue.extend(receipt);
    // The job goes on either way: if another worker has it by now, settlement lets one of the two win.
    if (!extended) log::warn("a job's lease could not be extended", {{"code", extended.error().code}});
  }
}

Task<void> Worker::keep_permit(RunGate::TicketPtr ticket, LimitedRun run, std::shared_ptr<Signal> done) {
  while (!co_await done->wait_until(deps_.clock.steady_now() + limits::kVisibilityRenewal)) {
    co_await gate_.renew(ticket, run);
  }
}

Task<void> Worker::settle(const Delivery& delivery, JobResult result) {
  result.worker_id = deps_.id;
  if (delivery.tell_from > SteadyTime{}) co_await deps_.clock.sleep_until(delivery.tell_from);
  milliseconds pause = kFirstRetry;
  for (int refusals = 0; refusals < kMaxRefusals;) {
    const auto settled = co_await deps_.settlement.settle(delivery, result);
    if (settled) {
      if (deps_.on_finished) deps_.on_finished(result, delivery.job);
      co_return;
    }
    log::warn("settling failed", {{"requestId", result.request_id.value}, {"code", settled.error().code}});
    if (phase() == Phase::stopping) co_return;
    if (settled.error().kind != ErrorKind::unavailable) ++refusals;
    co_await deps_.clock.sleep_until(deps_.clock.steady_now() + pause);
    pause = std::min(pause * 2, kLongestRetry);
  }
  log::error("giving up on settling; the lease runs out", {{"requestId", result.request_id.value}});
}

Task<Worker::Attempt> Worker::execute(const Job& job, bool may_retry) {
  Attempt attempt;
  bool called = false;
  const auto obtained = co_await obtain_instance(job, [&](const InstancePtr& cold) {
    attempt.result = cold->call(job, begin_call(cold, job));
    called = true;
  });
  if (!obtained) {
    const Error& error = obtained.error();
    attempt.interrupted = phase() == Phase::stopping;
    attempt.hand_on = options_.others_take_over && error.code == UnpackedCode::kStoreAway;
    attempt.retry_later = !attempt.interrupted && may_retry && error.kind == ErrorKind::unavailable;
    // A bundle that breaks a rule or does not compile is the function's own fault; anything else is the platform's.
    const bool own_fault =
        error.kind == ErrorKind::invalid || error.kind == ErrorKind::too_large || error.kind == ErrorKind::unusable;
    attempt.result =
        own_fault ? refused(job, error.code, error.message) : platform_error(job, error.code, error.message);
    log::warn("a job could not be started", {{"requestId", job.request_id.value}, {"code", error.code}});
    co_return attempt;
  }

  const InstancePtr& instance = *obtained;
  if (!called) {
    const CallSetup setup = begin_call(instance, job);
    attempt.result = co_await instance->call(job, setup, deps_.executor);
  }
  {
    const std::lock_guard lock(mutex_);
    calling_.erase(instance);
  }
  attempt.interrupted = instance->was_aborted();
  if (sandbox::OutputTree output = instance->take_output(); !attempt.interrupted && !output.entries.empty()) {
    co_await keep_output(deps_.code, deps_.executor, std::move(output), attempt.result);
  }
  if (const Leftover left = instance->left_behind(); left != Leftover::nothing && !attempt.interrupted) {
    log::info("an instance is not reused for what a call left in it",
              {{"requestId", job.request_id.value}, {"functionId", job.function_id.value}, {"left", to_string(left)}});
    if (deps_.on_not_reused) deps_.on_not_reused(job.runtime, left);
  }
  co_await finish_instance(instance);
  co_return attempt;
}

CallSetup Worker::begin_call(const InstancePtr& instance, const Job& job) {
  bool alone = false;
  {
    const std::lock_guard lock(mutex_);
    calling_.insert(instance);
    alone = calling_.size() == 1;
  }
  if (phase() == Phase::stopping) instance->abort();  // drain() may have looked before it was in the set
  return {.model_id = job.model_id.empty() ? options_.default_model : job.model_id,
          .deadline = deps_.clock.now() + job.timeout,
          .alone = alone};
}

Task<Result<InstancePtr>> Worker::obtain_instance(const Job& job, const Use& use) {
  const auto sha256 = co_await code_.identify(job.code);
  if (!sha256) co_return fail(sha256.error());
  const InstanceKey key{.function_id = job.function_id,
                        .sha256 = *sha256,
                        .runtime = job.runtime,
                        .memory_mb = job.memory_mb,
                        .network = job.network,
                        .env = job.env};
  learn_from(job);
  if (!is_superseded(key)) co_await end_instances(pool_.supersede(key));
  while (InstancePtr warm = pool_.take(key)) {
    if (warm->reusable()) co_return warm;
    std::vector<InstancePtr> dead;
    dead.push_back(std::move(warm));
    co_await end_instances(std::move(dead));
  }
  co_return co_await start_instance(key, job, use);
}

Task<Result<InstancePtr>> Worker::start_instance(InstanceKey key, const Job& job, const Use& use) {
  auto version = co_await code_.acquire(job.code, key.sha256, job.runtime);
  if (!version) co_return fail(version.error());
  if (auto reserved = co_await reserve_place(key); !reserved) co_return fail(reserved.error());
  Result<InstancePtr> started;
  co_await deps_.executor.offload([&] {
    started = Instance::start(key, *version, deps_.launcher, deps_.ai);
    if (started) use(*started);
  });
  if (!started) release_place(key);
  co_return started;
}

Task<Result<void>> Worker::reserve_place(InstanceKey key) {
  while (true) {
    const auto change = changed_.prepare_wait();
    auto place = pool_.reserve(key, deps_.clock.steady_now());
    if (place.granted) co_return Result<void>();
    if (phase() == Phase::stopping)
      co_return fail(ErrorKind::unavailable, "shutting_down", "The platform is stopping.");
    if (place.end_first) {
      std::vector<InstancePtr> oldest;
      oldest.push_back(std::move(place.end_first));
      co_await end_instances(std::move(oldest));
    } else {
      co_await change->wait_until(deps_.clock.steady_now() + std::chrono::seconds(1));
    }
  }
}

void Worker::release_place(const InstanceKey& key) {
  pool_.remove(key);
  changed_.notify_all();
  kept_changed_.notify_all();
}

Task<void> Worker::finish_instance(InstancePtr instance) {
  if (phase() != Phase::stopping && instance->reusable() && pool_.put_back(instance, deps_.clock.steady_now())) {
    changed_.notify_all();
    co_return;
  }
  std::vector<InstancePtr> over;
  over.push_back(std::move(instance));
  co_await end_instances(std::move(over));
}

// Ending one blocks until its processes are gone; its place is free only then.
Task<void> Worker::end_instances(std::vector<InstancePtr> instances) {
  if (instances.empty()) co_return;
  co_await deps_.executor.offload([&] {
    for (const auto& instance : instances) instance->end();
  });
  for (const auto& instance : instances) pool_.remove(instance->key());
  changed_.notify_all();
  kept_changed_.notify_all();
}

}  // namespace infra::worker
