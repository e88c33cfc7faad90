#include "worker/worker.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "async/supervised.h"
#include "worker/instances/answer_bytes.h"

namespace infra::worker {
namespace {

constexpr auto kForever = std::chrono::hours(24);

// What a build holds in the books of the pool, as if it were an instance of a function of its own.
InstanceKey build_place(const std::string& sha256) {
  return {.function_id = {"build of " + sha256}, .sha256 = sha256, .memory_mb = BuildLimits{}.memory_mb};
}

}  // namespace

// In the order of construction: each part uses those above it; what it has to tell those below goes by a function.
Worker::Worker(WorkerDeps deps, WorkerOptions options)
    : deps_(std::move(deps)),
      started_(deps_.clock.steady_now()),
      capacity_(std::min(options.max_concurrent, deps_.launcher.capacity())),
      ended_(deps_.clock.make_signal()),
      frames_(frame_bytes(capacity_ + 1)),  // and the suspects' slot
      lifecycle_(deps_.clock),
      tasks_(deps_.executor, deps_.clock),
      pool_({.instances = deps_.launcher.capacity(),
             .memory_mb = options.memory_budget_mb,
             .idle_timeout = options.idle_timeout}),
      places_(pool_, deps_.executor, deps_.clock, lifecycle_, [this] { keep_warm_.notify_all(); }),
      builds_(deps_.code, deps_.launcher, deps_.executor, deps_.clock,
              {.enter = [this](const std::string& sha256) { return places_.reserve(build_place(sha256)); },
               .leave = [this](const std::string& sha256) { places_.release(build_place(sha256)); },
               .frames = &frames_}),
      code_(deps_.versions_root, deps_.code, deps_.bundles, builds_, deps_.executor, deps_.clock, options.unpacked),
      calls_(deps_.clock, lifecycle_, options.default_model, frames_, deps_.live),
      instances_({.pool = pool_,
                  .places = places_,
                  .code = code_,
                  .launcher = deps_.launcher,
                  .ai = deps_.ai,
                  .executor = deps_.executor,
                  .clock = deps_.clock,
                  .learns_from_jobs = options.others_take_over}),
      keep_warm_({.pool = pool_,
                  .places = places_,
                  .code = code_,
                  .instances = instances_,
                  .calls = calls_,
                  .tasks = tasks_,
                  .lifecycle = lifecycle_,
                  .executor = deps_.executor,
                  .clock = deps_.clock,
                  .short_of_memory = options.short_of_memory}),
      housekeeping_({.pool = pool_,
                     .places = places_,
                     .lifecycle = lifecycle_,
                     .executor = deps_.executor,
                     .clock = deps_.clock,
                     .idle_timeout = options.idle_timeout,
                     .short_of_memory = options.short_of_memory,
                     .is_busy = [this, most = options.processors] { return gate_.running() >= most; }}),
      function_({.instances = instances_,
                 .calls = calls_,
                 .places = places_,
                 .code = deps_.code,
                 .lifecycle = lifecycle_,
                 .executor = deps_.executor,
                 .others_take_over = options.others_take_over,
                 .on_not_reused = deps_.on_not_reused}),
      give_back_(deps_.queue, lifecycle_, options.others_take_over),
      gate_(
          deps_.limiter, deps_.clock, {.slots = SlotShares::of(capacity_), .shared = options.others_take_over},
          [this](const Job& job) { return give_back_.is_due_for(job); },
          [this] {
            jobs_.notify_all();
            deps_.queue.look_for_turns();
          }),
      leases_(deps_.queue, gate_, tasks_, deps_.clock),
      runs_({.queue = deps_.queue,
             .settlement = deps_.settlement,
             .gate = gate_,
             .give_back = give_back_,
             .function = function_,
             .tasks = tasks_,
             .lifecycle = lifecycle_,
             .clock = deps_.clock,
             .id = deps_.id,
             .quarantine = deps_.quarantine,
             .on_finished = deps_.on_finished,
             .live = deps_.live,
             .on_lost = deps_.on_lost,
             .on_settled = deps_.on_settled,
             .on_begun = deps_.on_begun}),
      jobs_({.queue = deps_.queue,
             .gate = gate_,
             .leases = leases_,
             .give_back = give_back_,
             .runs = runs_,
             .tasks = tasks_,
             .lifecycle = lifecycle_,
             .clock = deps_.clock}),
      suspects_(deps_.suspects, lifecycle_,
                [this](Delivery delivery) { return jobs_.run_beside(std::move(delivery)); }),
      receive_on_each_thread_(options.receive_on_each_thread) {
  deps_.queue.attach(&gate_);
}

Worker::~Worker() {
  deps_.queue.attach(nullptr);
}

Task<void> Worker::run() {
  tasks_.spawn("housekeeping", supervised(deps_.clock, "housekeeping", [this] { return housekeeping_.run(); }));
  tasks_.spawn("starting ahead", supervised(deps_.clock, "starting ahead", [this] { return keep_warm_.run(); }));
  tasks_.spawn("suspects", supervised(deps_.clock, "suspects", [this] { return suspects_.run(); }));
  tasks_.spawn("giving suspects back", suspects_.end());
  if (receive_on_each_thread_) jobs_.help_on_each_thread();
  co_await jobs_.run();
  co_await tasks_.join();
  (void)co_await caught("ending instances", places_.end(pool_.take_all_idle()));
  const auto ended = ended_;  // once it is notified this object may go
  ended->notify();
}

void Worker::stop_taking() {
  if (!lifecycle_.begin_draining()) return;
  jobs_.notify_all();
  places_.notify_all();
  lifecycle_.notify_all();
  keep_warm_.notify_all();
  gate_.wake_all();
  deps_.queue.wake_receivers();
}

Task<void> Worker::drain(SteadyTime deadline) {
  stop_taking();
  co_await jobs_.wait_until_drained(deadline);
  lifecycle_.begin_stopping();
  calls_.abort_all();
  builds_.abort();
  jobs_.notify_all();
  places_.notify_all();
  lifecycle_.notify_all();
  gate_.wake_all();
  deps_.queue.wake_receivers();
  co_await ended_->wait_until(deps_.clock.steady_now() + kForever);
}

WorkerStatus Worker::status() const {
  const std::chrono::duration<double> uptime = deps_.clock.steady_now() - started_;
  return {.pools = pool_.idle_by_runtime(),
          .active_jobs = gate_.running() + jobs_.running_beside(),
          .waiting_jobs = gate_.parked(),
          .answers = frames_.use(),
          .capacity = capacity_,
          .uptime_seconds = uptime.count()};
}

void Worker::list_holdings(Holdings& into) const {
  gate_.list_holdings(into);
  pool_.list_holdings(into);
  const auto answers = frames_.use();
  into.push_back({"bytes of answers", answers.bytes, frame_bytes(capacity_ + 1)});
  into.push_back({"answers that wait for bytes", answers.waiting});
  into.push_back({"suspects that run", static_cast<std::uint64_t>(jobs_.running_beside()), 1});
}

}  // namespace infra::worker
