#include "main/embedded_platform.h"

#include <thread>

#include "adapters/embedded/database.h"
#include "adapters/embedded/embedded_result_bus.h"
#include "adapters/embedded/file_code_store.h"
#include "adapters/embedded/file_code_store_probe.h"
#include "adapters/embedded/memory_rate_limiter.h"
#include "adapters/embedded/memory_worker_registry.h"
#include "adapters/embedded/sqlite_code_use.h"
#include "adapters/embedded/sqlite_function_store.h"
#include "adapters/embedded/sqlite_log_store.h"
#include "adapters/embedded/sqlite_run_recorder.h"
#include "adapters/system/file_staging.h"
#include "adapters/system/system_random.h"
#include "main/controller.h"
#include "main/worker_host.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr std::chrono::seconds kSweepInterval{30};

}  // namespace

// In the order of construction: each part uses only what stands above it.
struct EmbeddedPlatform::Parts {
  Parts(const Config& c, DataFolder f, worker::Launcher& launcher, net::EventLoops& l, Executor& e, Clock& k,
        std::unique_ptr<Database> d, std::unique_ptr<SqliteJobQueue> q);

  Task<void> record_worker();
  Task<void> sweep_on();
  Task<void> shut_down();

  const Config config;
  const DataFolder folder;
  net::EventLoops& loops;
  Executor& executor;
  Clock& clock;
  SystemRandom random;
  app::IdSource ids{clock, random};
  Metrics metrics;

  std::unique_ptr<Database> database;
  std::unique_ptr<SqliteJobQueue> queue;
  SqliteFunctionStore functions{*database};
  SqliteLogStore logs{*database};
  SqliteRunRecorder recorder{*database, functions};
  EmbeddedResultBus results{*database};
  SqliteCodeUse code_use{*database, *queue};
  SqliteRetiredCode retired{*database};
  FileCodeStore code{folder.path(), executor, clock, code_use, retired};
  FileStaging staging{folder.path() / "staging", executor};
  MemoryRateLimiter limiter{config.rate, clock};
  MemoryWorkerRegistry workers{clock};
  net::HttpClient http{loops};

  WorkerHost host;
  DatabaseProbe database_probe{"database", *database};
  FileCodeStoreProbe code_probe{folder.path(), executor};
  Controller controller;

  std::atomic<bool> stopping = false;
};

EmbeddedPlatform::Parts::Parts(const Config& c, DataFolder f, worker::Launcher& launcher, net::EventLoops& l,
                               Executor& e, Clock& k, std::unique_ptr<Database> d, std::unique_ptr<SqliteJobQueue> q)
    : config(c),
      folder(std::move(f)),
      loops(l),
      executor(e),
      clock(k),
      database(std::move(d)),
      queue(std::move(q)),
      host({.config = config,
            .id = make_worker_id(ids),
            .data = folder.path(),
            .launcher = launcher,
            .metrics = metrics,
            .http = http,
            .loops = loops,
            .executor = executor,
            .clock = clock,
            .is_alone = true},
           {.queue = *queue, .code = code, .results = results, .recorder = recorder, .logs = logs}),
      controller({.config = config,
                  .limiter = limiter,
                  .ids = ids,
                  .metrics = metrics,
                  .loops = loops,
                  .executor = executor,
                  .clock = clock},
                 {.functions = functions,
                  .code = code,
                  .queue = *queue,
                  .results = results,
                  .logs = logs,
                  .staging = staging,
                  .workers = workers,
                  .probes = {&database_probe, &code_probe, &host.probe()},
                  .refresh_workers = [this] { return record_worker(); }},
                 http) {}

Task<void> EmbeddedPlatform::Parts::record_worker() {
  co_await workers.record(host.heartbeat());
}

// What has expired or is used no more goes, in the background; what fails is tried again the next time.
Task<void> EmbeddedPlatform::Parts::sweep_on() {
  while (!stopping) {
    const WallTime now = clock.now();
    for (const auto& swept : {co_await results.sweep(now), co_await logs.sweep(now), co_await queue->sweep(now)}) {
      if (!swept) log::warn("a sweep failed", {{"why", swept.error().message}});
    }
    co_await code.sweep();
    co_await clock.sleep_until(clock.steady_now() + kSweepInterval);
  }
}

// Past the deadline the worker settles what clients wait for, and gives the rest back.
Task<void> EmbeddedPlatform::Parts::shut_down() {
  const SteadyTime deadline = clock.steady_now() + config.shutdown_timeout;
  host.worker().stop_taking();
  co_await controller.shut_down(deadline, [this, deadline] { return host.worker().drain(deadline); });
}

Result<std::unique_ptr<EmbeddedPlatform>> EmbeddedPlatform::open(const Config& config, DataFolder folder,
                                                                 worker::Launcher& launcher, net::EventLoops& loops,
                                                                 Executor& executor, Clock& clock) {
  auto database = Database::open(folder.path() / "infra.db", executor, clock);
  if (!database) return fail(database.error());
  auto queue = SqliteJobQueue::open(**database);
  if (!queue) return fail(queue.error());
  return std::unique_ptr<EmbeddedPlatform>(new EmbeddedPlatform(std::make_unique<Parts>(
      config, std::move(folder), launcher, loops, executor, clock, std::move(*database), std::move(*queue))));
}

EmbeddedPlatform::EmbeddedPlatform(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

// Coroutines hold references to the parts: the threads end first.
EmbeddedPlatform::~EmbeddedPlatform() {
  parts_->controller.door().close();
  parts_->loops.stop();
}

Result<std::uint16_t> EmbeddedPlatform::start(const std::string& address) {
  auto& parts = *parts_;
  auto port = parts.controller.door().open(address);
  if (!port) return port;
  parts.loops.spawn(parts.host.worker().run());
  parts.loops.spawn(parts.sweep_on());
  return port;
}

void EmbeddedPlatform::shut_down() {
  auto& parts = *parts_;
  parts.stopping = true;
  parts.controller.door().stop_accepting();
  parts.loops.run_blocking(parts.shut_down());
}

}  // namespace infra
