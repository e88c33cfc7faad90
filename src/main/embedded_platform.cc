#include "main/embedded_platform.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "adapters/embedded/database.h"
#include "adapters/embedded/embedded_result_bus.h"
#include "adapters/embedded/file_code_store.h"
#include "adapters/embedded/file_code_store_probe.h"
#include "adapters/embedded/file_staging.h"
#include "adapters/embedded/memory_rate_limiter.h"
#include "adapters/embedded/memory_worker_registry.h"
#include "adapters/embedded/sqlite_code_use.h"
#include "adapters/embedded/sqlite_function_store.h"
#include "adapters/embedded/sqlite_job_queue.h"
#include "adapters/embedded/sqlite_log_store.h"
#include "adapters/embedded/sqlite_run_recorder.h"
#include "adapters/libzip/zip_bundle_reader.h"
#include "adapters/ollama/ollama_ai_proxy.h"
#include "adapters/ollama/ollama_model_catalog.h"
#include "adapters/system/system_random.h"
#include "app/settle_job.h"
#include "http/api.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "telemetry/log.h"
#include "worker/launcher_probe.h"
#include "worker/worker.h"

namespace infra {
namespace {

constexpr std::chrono::seconds kSweepInterval{30};
constexpr std::chrono::seconds kLastAnswers{2};  // for 503s to get out after the shutdown time is over

WorkerId make_worker_id(app::IdSource& ids) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return {fmt::format("{}-{}", host.data(), ids.request_id().value.substr(24))};
}

worker::WorkerOptions worker_options(const worker::Launcher& launcher) {
  const auto memory_mb = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE) / (1024 * 1024);
  worker::WorkerOptions options;
  options.max_concurrent = max_concurrent_jobs(launcher);
  options.memory_budget_mb = static_cast<int>(memory_mb * 3 / 4);  // the rest is for the system and Infra itself
  return options;
}

http::ApiSettings api_settings(const Config& config) {
  return {.api_key = config.api_key,
          .metrics_public = config.metrics_public,
          .cors_origins = config.cors_origins,
          .trusted_proxy_hops = config.trusted_proxy_hops,
          .rate = config.rate};
}

Heartbeat heartbeat_of(const WorkerId& id, const worker::WorkerStatus& status, WallTime now) {
  Heartbeat beat{.worker_id = id,
                 .pools = {{"python", 0}, {"nodejs", 0}, {"cpp", 0}, {"go", 0}},
                 .active_jobs = status.active_jobs,
                 .uptime_seconds = status.uptime_seconds,
                 .timestamp = to_iso8601(now),
                 .received_at = now};
  for (const auto& [runtime, count] : status.pools) beat.pools[std::string(to_string(runtime))] = count;
  return beat;
}

}  // namespace

int max_concurrent_jobs(const worker::Launcher& launcher) {
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return std::min(launcher.capacity(), 8 * cores);  // functions wait for others more than they compute
}

// In the order of construction: each part uses only what stands above it.
struct EmbeddedPlatform::Parts {
  Parts(const Config& c, DataFolder f, worker::Launcher& launcher, net::EventLoops& l, Executor& e, Clock& k,
        std::unique_ptr<Database> d, std::unique_ptr<SqliteJobQueue> q);

  Task<GaugeSample> gauges();
  Task<void> record_worker();
  Task<void> sweep_on();
  Task<void> shut_down();
  [[nodiscard]] http::Handlers handlers();

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
  ZipBundleReader bundles;
  MemoryRateLimiter limiter{config.rate, clock};
  MemoryWorkerRegistry workers{clock};

  net::HttpClient http_client{loops};
  OllamaModelCatalog models{http_client, config.ai_node_url, config.ai_node_timeout};
  OllamaAiProxy ai_proxy{loops, http_client, clock, config.ai_node_url};

  app::DeployFunction deploy{functions, code, bundles, executor, clock, ids};
  app::InvokeFunction invoke{functions, *queue, results, clock};
  app::ReadLogs read_logs{functions, logs};
  app::SettleJob settle{results, recorder, logs, *queue, clock, [this](const JobResult& result) {
                          metrics.run(result.function_id, result.status, result.duration_ms, result.handler_ms);
                        }};

  const WorkerId worker_id = make_worker_id(ids);
  worker::Worker worker;

  DatabaseProbe database_probe{"database", *database};
  FileCodeStoreProbe code_probe{folder.path(), executor};
  worker::LauncherProbe launcher_probe;
  app::HealthMonitor health{{&database_probe, &code_probe, &launcher_probe}, executor, clock};

  std::atomic<bool> draining = false;
  http::Api api{api_settings(config), handlers(), limiter, ids, clock, metrics};
  std::unique_ptr<net::HttpServer> server;
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
      worker({.queue = *queue,
              .code = code,
              .bundles = bundles,
              .settlement = settle,
              .launcher = launcher,
              .ai = &ai_proxy,
              .executor = executor,
              .clock = clock,
              .versions_root = versions_folder(folder.path()),
              .id = worker_id,
              .on_finished = {}},
             worker_options(launcher)),
      launcher_probe(launcher) {}

http::Handlers EmbeddedPlatform::Parts::handlers() {
  return {.functions = {deploy, functions, staging},
          .runs = {invoke, results},
          .logs = http::LogsHandler(read_logs),
          .system = {health,
                     metrics,
                     workers,
                     models,
                     clock,
                     {.draining = [this] { return draining.load(); },
                      .gauges = [this] { return gauges(); },
                      .refresh_workers = [this] { return record_worker(); }}}};
}

Task<GaugeSample> EmbeddedPlatform::Parts::gauges() {
  const auto depth = co_await queue->depth();
  const auto status = worker.status();
  GaugeSample sample;
  sample.jobs_running = status.active_jobs;
  sample.requests_in_flight = static_cast<std::int64_t>(server->requests_in_flight());
  if (depth) {
    sample.queue_ready = depth->ready;
    sample.queue_in_flight = depth->in_flight;
    sample.queue_dead = depth->dead;
  }
  for (const auto& [runtime, count] : status.pools) sample.pools[std::string(to_string(runtime))] = count;
  co_return sample;
}

Task<void> EmbeddedPlatform::Parts::record_worker() {
  co_await workers.record(heartbeat_of(worker_id, worker.status(), clock.now()));
}

// What has expired or is used no more goes, in the background; what fails is tried again the next time.
Task<void> EmbeddedPlatform::Parts::sweep_on() {
  while (!draining) {
    const WallTime now = clock.now();
    for (const auto& swept : {co_await results.sweep(now), co_await logs.sweep(now), co_await queue->sweep(now)}) {
      if (!swept) log::warn("a sweep failed", {{"why", swept.error().message}});
    }
    co_await code.sweep();
    co_await clock.sleep_until(clock.steady_now() + kSweepInterval);
  }
}

Task<void> EmbeddedPlatform::Parts::shut_down() {
  const SteadyTime deadline = clock.steady_now() + config.shutdown_timeout;
  worker.stop_taking();
  const bool all_answered = co_await server->drained(deadline);
  co_await worker.drain(deadline);  // past the deadline: settles what clients wait for, gives the rest back
  if (!all_answered) {
    results.abandon_waiters();
    co_await server->drained(clock.steady_now() + kLastAnswers);
  }
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
  if (parts_->server) parts_->server->close();
  parts_->loops.stop();
}

Result<std::uint16_t> EmbeddedPlatform::start(const std::string& address) {
  auto& parts = *parts_;
  parts.server = std::make_unique<net::HttpServer>(
      parts.loops, net::HttpServerOptions{.address = address, .port = parts.config.port},
      [&parts](net::Request& request) { return parts.api.handle(request); },
      [&parts](const Error& error) { return parts.api.refuse(error); });
  if (auto listening = parts.server->start(); !listening) return fail(listening.error());
  parts.loops.run_blocking(parts.health.start());
  parts.loops.spawn(parts.worker.run());
  parts.loops.spawn(parts.sweep_on());
  return parts.server->port();
}

void EmbeddedPlatform::shut_down() {
  auto& parts = *parts_;
  parts.draining = true;
  parts.server->stop_accepting();
  parts.loops.run_blocking(parts.shut_down());
  parts.health.stop();
}

}  // namespace infra
