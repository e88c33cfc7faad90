#include "main/fleet_worker.h"

#include "adapters/aws/dynamodb/dynamodb_function_store.h"
#include "adapters/memory/memory_rate_limiter.h"
#include "adapters/redis/leased_job_queue.h"
#include "adapters/redis/redis_announcements.h"
#include "adapters/redis/redis_events.h"
#include "adapters/redis/redis_probe.h"
#include "adapters/redis/redis_result_bus.h"
#include "app/settle_in_steps.h"
#include "app/watch_functions.h"
#include "async/supervised.h"
#include "main/disk_watch.h"
#include "main/fleet_engines.h"
#include "main/front_door.h"
#include "main/heartbeats.h"
#include "main/worker_host.h"

namespace infra {

namespace {

constexpr std::chrono::seconds kLookInterval{30};

// Best effort: a message that can't be put off comes back when its visibility ends.
Task<void> put_off(SqsJobQueue& queue, std::string receipt, milliseconds pause) {
  (void)co_await queue.postpone(receipt, pause);
}

}  // namespace

// In the order of construction: each part uses only what stands above it.
struct FleetWorker::Parts {
  Parts(Program& p, const Variables& variables, sandbox::Launcher& launcher);

  [[nodiscard]] net::RedisSubscription subscription();
  void changed(FunctionId function);
  void changes_missed();
  Task<void> look_again();
  Task<GaugeSample> gauges() const;
  Task<void> shut_down();

  Program& program;
  const WorkerId id = make_worker_id(program);
  DiskWatch disk{program};

  FleetEngines engines;
  RedisResultBus results;
  RedisEvents events{*engines.redis, program.clock, program.executor, program.metrics, nullptr};
  LeasedJobQueue queue;
  app::SettleInSteps settlements{results, engines.recorder, queue};
  WorkerHost host;
  DynamoDbFunctionStore functions;
  std::atomic<bool> stopping = false;
  app::WatchFunctions functions_watch{functions, host.worker().keep_warm(), stopping};
  Heartbeats heartbeats;
  std::unique_ptr<net::RedisSubscriber> subscriber;

  MemoryRateLimiter limiter{program.config.rate, program.clock};  // of wrong keys at its own door
  RedisProbe redis_probe;
  FrontDoor door;
};

FleetWorker::Parts::Parts(Program& p, const Variables& variables, sandbox::Launcher& launcher)
    : program(p),
      engines(program, variables, {}),
      results(*engines.redis, engines.code, program.clock, program.executor, RedisBusOptions{}),
      queue(
          engines.queue, *engines.redis, id, program.clock, program.random,
          [this](std::string receipt, milliseconds pause) { return put_off(engines.queue, std::move(receipt), pause); },
          &engines.quarantine),
      host(program, id, WorkerHost::Company::fleet,
           {.launcher = launcher,
            .http = *engines.http,
            .queue = queue,
            .code = engines.code,
            .settlements = settlements,
            .results = results,
            .logs = engines.logs,
            .limiter = engines.concurrency,
            .has_room = disk.has_room(),
            .quarantine = engines.quarantine,
            .suspects = &queue,
            .live = &events}),
      functions(engines.dynamodb, engines.fleet.functions_table, program.clock, {}),
      heartbeats(program.config, engines.workers, *engines.http, program.clock,
                 [this] { return host.heartbeat(stopping ? "stopping" : "healthy"); }),
      subscriber(program.network.redis_subscriber(engines.fleet.redis, subscription())),
      redis_probe(*engines.redis, {}),
      door(
          program, limiter,
          {&engines.logs_probe, &engines.code_probe, &engines.queue_probe, &redis_probe, &host.probe()},
          [this] { return gauges(); },
          [this](http::MonitoringHandler& status) {
            return http::worker_routes(status, !program.config.api_key.empty(), program.config.metrics_public);
          }) {}

net::RedisSubscription FleetWorker::Parts::subscription() {
  return {.channels = {std::string(RedisAnnouncements::kChannel)},
          .on_message = [this](std::string_view, std::string function) { changed({std::move(function)}); },
          .on_subscribed = [this] { changes_missed(); }};
}

void FleetWorker::Parts::changed(FunctionId function) {
  functions.changed(function);
  program.executor.spawn("telling of a function", functions_watch.tell_of(std::move(function)));
}

void FleetWorker::Parts::changes_missed() {
  functions.all_changed();
  host.worker().keep_warm().changes_missed();
  program.executor.spawn("telling of functions", functions_watch.tell_of_all());
}

Task<void> FleetWorker::Parts::look_again() {
  while (!stopping) {
    co_await program.clock.sleep_until(program.clock.steady_now() + kLookInterval);
    functions.all_changed();  // and nothing of the table stays in memory
    co_await functions_watch.look_again();
  }
}

Task<GaugeSample> FleetWorker::Parts::gauges() const {
  const auto beat = host.heartbeat();
  co_return GaugeSample{.jobs_running = beat.active_jobs,
                        .jobs_waiting = host.waiting_jobs() + static_cast<int>(queue.suspects_waiting()),
                        .answers = host.answers(),
                        .pools = beat.pools};
}

Task<void> FleetWorker::Parts::shut_down() {
  const SteadyTime deadline = program.clock.steady_now() + program.config.shutdown_timeout;
  host.worker().stop_taking();
  co_await heartbeats.beat();
  co_await host.worker().drain(deadline);
  co_await engines.finish_series(deadline);
  heartbeats.stop();
  co_await door.answered(deadline);
}

FleetWorker::FleetWorker(Program& program, const Variables& variables, sandbox::Launcher& launcher)
    : parts_(std::make_unique<Parts>(program, variables, launcher)) {}

// Coroutines hold references to the parts: the threads end first.
FleetWorker::~FleetWorker() {
  parts_->door.close();
  parts_->program.network.stop();
}

Result<std::uint16_t> FleetWorker::start(const std::string& address) {
  auto& parts = *parts_;
  parts.engines.start();
  parts.subscriber->start();
  auto port = parts.door.open(address);
  if (!port) return port;
  auto& program = parts.program;
  program.executor.spawn("worker", parts.host.worker().run());
  spawn_supervised(program.executor, program.clock, "looking at functions", [&parts] { return parts.look_again(); });
  spawn_supervised(program.executor, program.clock, "watching the disk",
                   [&parts] { return parts.disk.watch_on(parts.stopping); });
  spawn_supervised(program.executor, program.clock, "writing sums of runs",
                   [&parts] { return parts.engines.keep_series(parts.stopping); });
  spawn_supervised(program.executor, program.clock, "watching the quarantine",
                   [&parts] { return parts.engines.quarantine.watch(); });
  spawn_supervised(program.executor, program.clock, "watching listeners", [&parts] { return parts.events.watch(); });
  spawn_supervised(program.executor, program.clock, "heartbeats", [&parts] { return parts.heartbeats.beat_on(); });
  return port;
}

void FleetWorker::shut_down() {
  auto& parts = *parts_;
  parts.stopping = true;
  parts.door.stop_accepting();
  parts.program.network.run_blocking(parts.shut_down());
}

}  // namespace infra
