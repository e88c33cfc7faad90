#include "main/embedded_platform.h"

#include <thread>

#include "adapters/files/file_code_store.h"
#include "adapters/files/file_code_store_probe.h"
#include "adapters/memory/memory_concurrency_limiter.h"
#include "adapters/memory/memory_rate_limiter.h"
#include "adapters/memory/memory_worker_registry.h"
#include "adapters/sqlite/database.h"
#include "adapters/sqlite/sqlite_code_use.h"
#include "adapters/sqlite/sqlite_function_store.h"
#include "adapters/sqlite/sqlite_log_store.h"
#include "adapters/sqlite/sqlite_result_bus.h"
#include "adapters/sqlite/sqlite_run_recorder.h"
#include "adapters/system/file_staging.h"
#include "app/watch_functions.h"
#include "async/supervised.h"
#include "main/controller.h"
#include "main/worker_host.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr std::chrono::seconds kSweepInterval{30};

}  // namespace

// In the order of construction: each part uses only what stands above it.
struct EmbeddedPlatform::Parts {
  Parts(Program& p, sandbox::Launcher& launcher, std::unique_ptr<Database> d, std::unique_ptr<SqliteJobQueue> q);

  Task<void> record_worker();
  Task<void> sweep_on();
  Task<void> shut_down();

  Program& program;
  std::unique_ptr<Database> database;
  std::unique_ptr<SqliteJobQueue> queue;
  SqliteFunctionStore functions{*database};
  SqliteLogStore logs{*database};
  SqliteRunRecorder recorder{*database, functions};
  SqliteResultBus results{*database};
  SqliteCodeUse code_use{*database, *queue};
  SqliteRetiredCode retired{*database};
  FileCodeStore code{program.folder.path(), program.executor, program.clock, code_use, retired};
  FileStaging staging{program.folder.path() / "staging", program.executor};
  MemoryRateLimiter limiter{program.config.rate, program.clock};
  MemoryConcurrencyLimiter concurrency{program.clock};
  MemoryWorkerRegistry workers{program.clock};
  net::HttpClient http{program.loops};

  WorkerHost host;
  DatabaseProbe database_probe{"database", *database};
  FileCodeStoreProbe code_probe{program.folder.path(), program.executor};
  Controller controller;

  std::atomic<bool> stopping = false;
  app::WatchFunctions functions_watch{functions, host.worker().keep_warm(), stopping};
};

EmbeddedPlatform::Parts::Parts(Program& p, sandbox::Launcher& launcher, std::unique_ptr<Database> d,
                               std::unique_ptr<SqliteJobQueue> q)
    : program(p),
      database(std::move(d)),
      queue(std::move(q)),
      host(program, make_worker_id(program.ids), WorkerHost::Company::alone,
           {.launcher = launcher,
            .http = http,
            .queue = *queue,
            .code = code,
            .results = results,
            .recorder = recorder,
            .logs = logs,
            .limiter = concurrency}),
      controller(program, {.limiter = limiter,
                           .concurrency = concurrency,
                           .http = http,
                           .functions = functions,
                           .code = code,
                           .queue = *queue,
                           .results = results,
                           .logs = logs,
                           .staging = staging,
                           .workers = workers,
                           .probes = {&database_probe, &code_probe, &host.probe()},
                           .refresh_workers = [this] { return record_worker(); },
                           .preparer = &host.worker().preparer(),
                           .egress = &host.egress_check(),
                           .observer = &host.worker().keep_warm(),
                           .waiting_jobs = [this] { return host.waiting_jobs(); }}) {}

Task<void> EmbeddedPlatform::Parts::record_worker() {
  co_await workers.record(host.heartbeat());
}

// What has expired or is used no more goes, in the background; what fails is tried again the next time.
Task<void> EmbeddedPlatform::Parts::sweep_on() {
  while (!stopping) {
    const WallTime now = program.clock.now();
    for (const auto& swept : {co_await results.sweep(now), co_await logs.sweep(now), co_await queue->sweep(now)}) {
      if (!swept) log::warn("a sweep failed", {{"why", swept.error().message}});
    }
    co_await code.sweep();
    co_await program.clock.sleep_until(program.clock.steady_now() + kSweepInterval);
  }
}

// Past the deadline the worker settles what clients wait for, and gives the rest back.
Task<void> EmbeddedPlatform::Parts::shut_down() {
  const SteadyTime deadline = program.clock.steady_now() + program.config.shutdown_timeout;
  host.worker().stop_taking();
  co_await controller.shut_down(deadline, [this, deadline] { return host.worker().drain(deadline); });
}

Result<std::unique_ptr<EmbeddedPlatform>> EmbeddedPlatform::open(Program& program, sandbox::Launcher& launcher) {
  auto database = Database::open(program.folder.path() / "infra.db", program.executor, program.clock);
  if (!database) return fail(database.error());
  auto queue = SqliteJobQueue::open(**database);
  if (!queue) return fail(queue.error());
  return std::unique_ptr<EmbeddedPlatform>(
      new EmbeddedPlatform(std::make_unique<Parts>(program, launcher, std::move(*database), std::move(*queue))));
}

EmbeddedPlatform::EmbeddedPlatform(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

// Coroutines hold references to the parts: the threads end first.
EmbeddedPlatform::~EmbeddedPlatform() {
  parts_->controller.door().close();
  parts_->program.loops.stop();
}

Result<std::uint16_t> EmbeddedPlatform::start(const std::string& address) {
  auto& parts = *parts_;
  auto port = parts.controller.door().open(address);
  if (!port) return port;
  parts.program.loops.spawn("worker", parts.host.worker().run());
  parts.program.loops.spawn("telling of functions", parts.functions_watch.tell_of_all());
  spawn_supervised(parts.program.executor, parts.program.clock, "sweep", [&parts] { return parts.sweep_on(); });
  return port;
}

void EmbeddedPlatform::shut_down() {
  auto& parts = *parts_;
  parts.stopping = true;
  parts.controller.door().stop_accepting();
  parts.program.loops.run_blocking(parts.shut_down());
}

}  // namespace infra
