#include "worker/worker.h"

#include <algorithm>

#include "telemetry/log.h"

namespace infra::worker {
namespace {

constexpr milliseconds kReceiveWait{20'000};    // SQS's longest long poll
constexpr milliseconds kDrainReceiveWait{100};  // while draining: is there a sync job left?
constexpr milliseconds kReaperPeriod{1000};
// Giving memory back takes a processor's time, which calls need more while there are many.
constexpr milliseconds kRestAfter{500};
constexpr milliseconds kRestWhenBusyAfter{30'000};
constexpr milliseconds kRestPause{15};  // between a few, which take a processor as long, and the next few
constexpr auto kForever = std::chrono::hours(24);

// What a build holds in the books of the pool, as if it were an instance of a function of its own.
InstanceKey build_place(const std::string& sha256) {
  return {.function_id = {"build of " + sha256}, .sha256 = sha256, .memory_mb = BuildLimits{}.memory_mb};
}

}  // namespace

Worker::Worker(WorkerDeps deps, WorkerOptions options)
    : deps_(std::move(deps)),
      options_(std::move(options)),
      started_(deps_.clock.steady_now()),
      builds_(deps_.code, deps_.launcher, deps_.executor, deps_.clock,
              {.enter = [this](const std::string& sha256) { return reserve_place(build_place(sha256)); },
               .leave = [this](const std::string& sha256) { release_place(build_place(sha256)); }}),
      code_(deps_.versions_root, deps_.code, deps_.bundles, builds_, deps_.executor, deps_.clock, options_.unpacked),
      pool_({.instances = deps_.launcher.capacity(),
             .memory_mb = options_.memory_budget_mb,
             .idle_timeout = options_.idle_timeout}),
      changed_(deps_.clock),
      kept_changed_(deps_.clock),
      stopping_(deps_.clock),
      gate_(
          deps_.limiter, deps_.clock,
          {.slots = std::min(options_.max_concurrent, deps_.launcher.capacity()), .shared = options_.others_take_over},
          [this](const Job& job) { return gives_up(job); }, [this] { changed_.notify_all(); }),
      ended_(deps_.clock.make_signal()) {}

Task<void> Worker::run() {
  spawn_counted(reap_idle());
  spawn_counted(start_ahead());
  if (options_.receive_on_each_thread) {
    deps_.executor.spawn_on_each([this] {
      ++tasks_;
      ++helpers_;
      return counted(help_receiving());
    });
  }
  while (phase() != Phase::stopping) {
    const auto change = changed_.prepare_wait();
    const bool full = gate_.free_slots() == 0;
    if (full || (phase() == Phase::draining && queue_empty_)) {
      co_await change->wait_until(deps_.clock.steady_now() + (full ? milliseconds(kForever) : kDrainReceiveWait));
      queue_empty_ = false;
      continue;
    }
    co_await receive_once();
  }
  co_await wait_until_idle();
  co_await end_instances(pool_.take_all_idle());
  const auto ended = ended_;  // once it is notified this object may go
  ended->notify();
}

Task<void> Worker::receive_once() {
  const int free = std::max(gate_.free_slots(), 1);
  const bool draining = phase() == Phase::draining;
  const bool alone = helpers_ == 0;  // else one may have taken what is not counted yet
  auto deliveries = co_await deps_.queue.receive(free, draining ? milliseconds(0) : kReceiveWait);
  if (!deliveries) {
    log::warn("receiving jobs failed", {{"code", deliveries.error().code}});
    const auto change = changed_.prepare_wait();
    if (phase() == Phase::running) co_await change->wait_until(deps_.clock.steady_now() + std::chrono::seconds(1));
  }
  const bool empty = !deliveries || deliveries->empty();
  if (!empty) {
    for (auto& delivery : *deliveries) accept(std::move(delivery));
  }
  if (draining) {
    queue_empty_ = empty && alone;
    changed_.notify_all();
    const auto change = changed_.prepare_wait();
    if (empty && helpers_ > 0) co_await change->wait_until(deps_.clock.steady_now() + kDrainReceiveWait);
  }
}

// One at a time: several that receive at once may take so many more than there are free slots.
Task<void> Worker::help_receiving() {
  while (phase() == Phase::running) {
    const auto change = changed_.prepare_wait();
    if (gate_.free_slots() == 0) {
      co_await change->wait_until(deps_.clock.steady_now() + kForever);
      continue;
    }
    auto deliveries = co_await deps_.queue.receive(1, kReceiveWait);
    if (deliveries) {
      for (auto& delivery : *deliveries) accept(std::move(delivery));
    } else if (phase() == Phase::running) {
      co_await change->wait_until(deps_.clock.steady_now() + std::chrono::seconds(1));  // run() says what is wrong
    }
  }
  --helpers_;
  changed_.notify_all();
}

void Worker::accept(Delivery delivery) {
  if (phase() != Phase::running && can_be_given_back(delivery.job)) {
    spawn_counted(give_back(std::move(delivery.receipt)));
    return;
  }
  ++active_jobs_;
  spawn_counted(handle(std::move(delivery), gate_.queue_up()));
}

void Worker::stop_taking() {
  auto running = Phase::running;
  if (!phase_.compare_exchange_strong(running, Phase::draining)) return;
  changed_.notify_all();
  kept_changed_.notify_all();
  gate_.wake_all();
  deps_.queue.wake_receivers();
}

Task<void> Worker::drain(SteadyTime deadline) {
  stop_taking();
  while (deps_.clock.steady_now() < deadline) {
    const auto change = changed_.prepare_wait();
    if (active_jobs_ == 0 && queue_empty_) break;
    co_await change->wait_until(deadline);
  }
  phase_ = Phase::stopping;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& instance : calling_) instance->abort();
  }
  builds_.abort();
  changed_.notify_all();
  stopping_.notify_all();
  gate_.wake_all();
  deps_.queue.wake_receivers();
  co_await ended_->wait_until(deps_.clock.steady_now() + kForever);
}

Task<Result<void>> Worker::check_egress() {
  Result<void> opened;
  co_await deps_.executor.offload([&] { opened = deps_.launcher.open_egress(); });
  co_return opened;
}

Task<Result<void>> Worker::prepare(std::filesystem::path bundle, std::string sha256, Runtime runtime) {
  const auto version = co_await code_.acquire_file(std::move(bundle), std::move(sha256), runtime);
  if (!version) co_return fail(version.error());
  co_return Result<void>();
}

WorkerStatus Worker::status() const {
  const std::chrono::duration<double> uptime = deps_.clock.steady_now() - started_;
  return {.pools = pool_.idle_by_runtime(),
          .active_jobs = gate_.running(),
          .waiting_jobs = gate_.parked(),
          .capacity = std::min(options_.max_concurrent, deps_.launcher.capacity()),
          .uptime_seconds = uptime.count()};
}

Task<void> Worker::reap_idle() {
  const milliseconds period = std::clamp(options_.idle_timeout / 4, milliseconds(10), kReaperPeriod);
  while (phase() != Phase::stopping) {
    const bool short_of_memory = options_.short_of_memory && options_.short_of_memory();
    co_await rest_idle(short_of_memory);
    const SteadyTime now = deps_.clock.steady_now();
    co_await end_instances(pool_.take_expired(now));
    co_await end_instances(pool_.take_dead());
    if (short_of_memory) {
      if (auto least = pool_.take_least_valuable(now)) co_await end_instances(std::vector{std::move(least)});
    }
    const auto change = stopping_.prepare_wait();
    if (phase() != Phase::stopping) co_await change->wait_until(deps_.clock.steady_now() + period);
  }
}

Task<void> Worker::rest_idle(bool short_of_memory) {
  for (bool more = true; more && phase() != Phase::stopping;) {
    const auto patience = is_busy() && !short_of_memory ? kRestWhenBusyAfter : kRestAfter;
    co_await deps_.executor.offload([&] { more = pool_.rest_idle(deps_.clock.steady_now(), patience); });
    if (more) co_await deps_.clock.sleep_until(deps_.clock.steady_now() + kRestPause);
  }
}

Task<void> Worker::give_back(std::string receipt) {
  const auto given = co_await deps_.queue.give_back(receipt);
  if (!given) log::warn("a job could not be given back; its lease runs out", {{"code", given.error().code}});
}

void Worker::spawn_counted(Task<void> task) {
  ++tasks_;
  deps_.executor.spawn(counted(std::move(task)));
}

Task<void> Worker::counted(Task<void> task) {
  co_await std::move(task);
  --tasks_;  // the last touch: at zero run() returns, and this object may go
}

// A short poll, at shutdown only: a coroutine can't ring anything after it has let go of this object.
Task<void> Worker::wait_until_idle() {
  while (tasks_ > 0) co_await deps_.clock.sleep_until(deps_.clock.steady_now() + milliseconds(2));
}

}  // namespace infra::worker
