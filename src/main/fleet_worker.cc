#include "main/fleet_worker.h"

#include "adapters/embedded/memory_rate_limiter.h"
#include "adapters/redis/leased_job_queue.h"
#include "adapters/redis/redis_probe.h"
#include "adapters/redis/redis_result_bus.h"
#include "adapters/system/system_random.h"
#include "main/fleet_engines.h"
#include "main/front_door.h"
#include "main/heartbeats.h"
#include "main/worker_host.h"

namespace infra {

namespace {

// Best effort: a message that can't be put off comes back when its visibility ends.
Task<void> put_off(SqsJobQueue& queue, std::string receipt, milliseconds pause) {
  (void)co_await queue.postpone(receipt, pause);
}

}  // namespace

// In the order of construction: each part uses only what stands above it.
struct FleetWorker::Parts {
  Parts(const Config& c, const Variables& variables, DataFolder f, worker::Launcher& launcher, net::EventLoops& l,
        Executor& e, Clock& k);

  Task<GaugeSample> gauges() const;
  Task<void> shut_down();

  const Config config;
  const DataFolder folder;
  net::EventLoops& loops;
  Executor& executor;
  Clock& clock;
  SystemRandom random;
  app::IdSource ids{clock, random};
  Metrics metrics;
  const WorkerId id = make_worker_id(ids);

  FleetEngines engines;
  RedisResultBus results;
  LeasedJobQueue queue;
  WorkerHost host;
  Heartbeats heartbeats;

  MemoryRateLimiter limiter{config.rate, clock};  // of wrong keys at its own door
  RedisProbe redis_probe;
  FrontDoor door;

  std::atomic<bool> stopping = false;
};

FleetWorker::Parts::Parts(const Config& c, const Variables& variables, DataFolder f, worker::Launcher& launcher,
                          net::EventLoops& l, Executor& e, Clock& k)
    : config(c),
      folder(std::move(f)),
      loops(l),
      executor(e),
      clock(k),
      engines(config, variables, folder.path(), loops, executor, clock, random),
      results(engines.redis, engines.code, clock, executor, RedisBusOptions{}),
      queue(engines.queue, engines.redis, id, random,
            [this](std::string receipt, milliseconds pause) {
              return put_off(engines.queue, std::move(receipt), pause);
            }),
      host({.config = config,
            .id = id,
            .data = folder.path(),
            .launcher = launcher,
            .metrics = metrics,
            .http = engines.http,
            .loops = loops,
            .executor = executor,
            .clock = clock,
            .is_alone = false},
           {.queue = queue,
            .code = engines.code,
            .results = results,
            .recorder = engines.recorder,
            .logs = engines.logs}),
      heartbeats(config, engines.workers, engines.http, clock,
                 [this] { return host.heartbeat(stopping ? "stopping" : "healthy"); }),
      redis_probe(engines.redis, {}),
      door(
          {.config = config,
           .limiter = limiter,
           .ids = ids,
           .metrics = metrics,
           .loops = loops,
           .executor = executor,
           .clock = clock},
          {&engines.logs_probe, &engines.code_probe, &engines.queue_probe, &redis_probe, &host.probe()},
          [this] { return gauges(); },
          [this](http::StatusHandler& status) {
            return http::worker_routes(status, !config.api_key.empty(), config.metrics_public);
          }) {}

Task<GaugeSample> FleetWorker::Parts::gauges() const {
  const auto beat = host.heartbeat();
  co_return GaugeSample{.jobs_running = beat.active_jobs, .pools = beat.pools};
}

Task<void> FleetWorker::Parts::shut_down() {
  const SteadyTime deadline = clock.steady_now() + config.shutdown_timeout;
  host.worker().stop_taking();
  co_await heartbeats.beat();
  co_await host.worker().drain(deadline);
  heartbeats.stop();
  co_await door.answered(deadline);
}

FleetWorker::FleetWorker(const Config& config, const Variables& variables, DataFolder folder,
                         worker::Launcher& launcher, net::EventLoops& loops, Executor& executor, Clock& clock)
    : parts_(std::make_unique<Parts>(config, variables, std::move(folder), launcher, loops, executor, clock)) {}

// Coroutines hold references to the parts: the threads end first.
FleetWorker::~FleetWorker() {
  parts_->door.close();
  parts_->loops.stop();
}

Result<std::uint16_t> FleetWorker::start(const std::string& address) {
  auto& parts = *parts_;
  parts.engines.start();
  auto port = parts.door.open(address);
  if (!port) return port;
  parts.loops.spawn(parts.host.worker().run());
  parts.loops.spawn(parts.heartbeats.beat_on());
  return port;
}

void FleetWorker::shut_down() {
  auto& parts = *parts_;
  parts.stopping = true;
  parts.door.stop_accepting();
  parts.loops.run_blocking(parts.shut_down());
}

}  // namespace infra
