#include "main/embedded_platform.h"

#include <algorithm>

#include "adapters/files/file_code_store.h"
#include "adapters/files/file_code_store_probe.h"
#include "adapters/files/retention_clock.h"
#include "adapters/memory/memory_concurrency_limiter.h"
#include "adapters/memory/memory_rate_limiter.h"
#include "adapters/memory/memory_worker_registry.h"
#include "adapters/sqlite/database.h"
#include "adapters/sqlite/sqlite_code_use.h"
#include "adapters/sqlite/sqlite_configuration_store.h"
#include "adapters/sqlite/sqlite_function_store.h"
#include "adapters/sqlite/sqlite_log_store.h"
#include "adapters/sqlite/sqlite_quarantine.h"
#include "adapters/sqlite/sqlite_result_bus.h"
#include "adapters/sqlite/sqlite_run_recorder.h"
#include "adapters/sqlite/sqlite_run_series.h"
#include "adapters/sqlite/sqlite_settlement_store.h"
#include "adapters/sqlite/store_quota.h"
#include "adapters/system/file_staging.h"
#include "app/watch_functions.h"
#include "async/supervised.h"
#include "main/controller.h"
#include "main/disk_watch.h"
#include "main/worker_host.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr std::chrono::seconds kSweepInterval{30};
constexpr std::chrono::seconds kQuotaInterval{2};
constexpr std::uint64_t kMaxLogBytes = 1ULL << 30;  // of the database's write-ahead log

OutputRules output_rules(DiskWatch& disk) {
  const DiskState state = disk.look();
  return {.quotas = state.bytes == 0 ? OutputQuotas{} : output_quotas(state.bytes, state.files),
          .admit = disk.admits(Action::stop_outputs)};
}

// Of a disk that does not say how large it is, as much as there is.
std::uint64_t database_part(const DiskState& disk) {
  return disk.bytes == 0 ? UINT64_MAX : disk.bytes / 4;
}

double share(std::uint64_t used, std::uint64_t most) {
  return most == 0 ? 0 : static_cast<double>(used) / static_cast<double>(most);
}

}  // namespace

// In the order of construction: each part uses only what stands above it.
struct EmbeddedPlatform::Parts {
  Parts(Program& p, sandbox::Launcher& launcher, std::unique_ptr<Database> d, std::unique_ptr<SqliteJobQueue> q,
        std::unique_ptr<SqliteQuarantine> quarantined);

  void tell_of_strikes();
  Task<void> record_worker();
  Task<void> sweep_on();
  Task<void> keep_quota();
  DiskState look_at_disk();
  Task<void> shut_down();

  Program& program;
  DiskWatch disk{program};
  RetentionClock retention{program.folder.path(), program.clock};
  std::unique_ptr<Database> database;
  std::unique_ptr<SqliteJobQueue> queue;
  std::unique_ptr<SqliteQuarantine> quarantine;
  SqliteCodeUse code_use{*database, *queue};
  SqliteRetiredCode retired{*database};
  FileCodeStore code;
  SqliteFunctionStore functions{*database, code.sparing()};
  SqliteConfigurationStore configuration{*database};
  SqliteLogStore logs{*database};
  SqliteRunRecorder recorder{*database, functions};
  SqliteRunSeries series{*database};
  SqliteResultBus results{*database};
  SqliteSettlementStore settlements{*database, results, recorder, *queue};
  FileStaging staging{program.folder.path() / "staging", program.executor, disk.admits(Action::stop_uploads)};
  MemoryRateLimiter limiter{program.config.rate, program.clock};
  MemoryConcurrencyLimiter concurrency{program.clock};
  MemoryWorkerRegistry workers{program.clock};
  app::EventFeed feed{program.clock, program.ids.request_id().value.substr(24)};
  std::unique_ptr<net::HttpClient> http = program.network.http_client();

  WorkerHost host;
  DatabaseProbe database_probe{"database", *database};
  FileCodeStoreProbe code_probe{program.folder.path(), program.executor, [this] { return look_at_disk(); }};
  Controller controller;

  StoreQuota store_quota{*database, database_part(disk.look())};
  std::atomic<bool> stopping = false;
  app::WatchFunctions functions_watch{functions, host.worker().keep_warm(), stopping};
};

EmbeddedPlatform::Parts::Parts(Program& p, sandbox::Launcher& launcher, std::unique_ptr<Database> d,
                               std::unique_ptr<SqliteJobQueue> q, std::unique_ptr<SqliteQuarantine> quarantined)
    : program(p),
      database(std::move(d)),
      queue(std::move(q)),
      quarantine(std::move(quarantined)),
      code(program.folder.path(), program.executor, program.clock, code_use, retired, output_rules(disk)),
      host(program, make_worker_id(program), WorkerHost::Company::alone,
           {.launcher = launcher,
            .http = *http,
            .queue = *queue,
            .code = code,
            .settlements = settlements,
            .results = results,
            .logs = logs,
            .limiter = concurrency,
            .has_room = disk.has_room(),
            .quarantine = *quarantine,
            .suspects = queue.get(),
            .live = &feed}),
      controller(program, {.limiter = limiter,
                           .concurrency = concurrency,
                           .http = *http,
                           .functions = functions,
                           .code = code,
                           .queue = *queue,
                           .results = results,
                           .logs = logs,
                           .series = series,
                           .quarantine = *quarantine,
                           .configuration = &configuration,
                           .staging = staging,
                           .workers = workers,
                           .feed = feed,
                           .live = feed,
                           .probes = {&database_probe, &code_probe, &host.probe()},
                           .refresh_workers = [this] { return record_worker(); },
                           .only_worker = host.id(),
                           .preparer = &host.worker().preparer(),
                           .egress = &host.egress_check(),
                           .observer = &host.worker().keep_warm(),
                           .waiting_jobs = [this] { return host.waiting_jobs(); },
                           .answers = [this] { return host.answers(); }}) {}

void EmbeddedPlatform::Parts::tell_of_strikes() {
  const EpochStart& start = queue->epoch_start();
  if (start.struck > 0) {
    log::warn("the program before this one was lost: each job that it had handed out has a strike",
              {{"jobs", start.struck}});
  }
  for (std::int64_t i = 0; i < start.struck; ++i) program.metrics.count("job_strikes_total");
  for (const auto& [version, jobs] : start.suspects) {
    log::warn("jobs of a function run alone, because the program may have died of them",
              {{"functionId", version.function.value}, {"version", version.code}, {"jobs", jobs}});
  }
  for (const JobResult& result : start.given_up) {
    log::error("a job is given up: the program was lost each of the three times that it was handed out",
               {{"requestId", result.request_id.value},
                {"traceId", result.trace_id},
                {"functionId", result.function_id.value},
                {"code", result.error_code}});
    program.events.run_finished(result);
    program.metrics.run(result.function_id, result.status, result.duration_ms, result.handler_ms);
    program.metrics.count("jobs_given_up_total");
  }
}

Task<void> EmbeddedPlatform::Parts::record_worker() {
  co_await workers.record(host.heartbeat());
}

// What has expired or is used no more goes, in the background; what fails is tried again the next time.
Task<void> EmbeddedPlatform::Parts::sweep_on() {
  while (!stopping) {
    WallTime now;
    co_await program.executor.offload([&] { now = retention.look(); });
    for (const auto& swept : {co_await results.sweep(now), co_await logs.sweep(now), co_await queue->sweep(now),
                              co_await configuration.sweep(now), co_await series.sweep(now)}) {
      if (!swept) log::warn("a sweep failed", {{"why", swept.error().message}});
    }
    co_await code.sweep(now);
    co_await program.clock.sleep_until(next_beat(program.clock.steady_now(), kSweepInterval));
  }
}

// Asked only where something was written since.
Task<void> EmbeddedPlatform::Parts::keep_quota() {
  std::uint64_t seen = 0;
  while (!stopping) {
    if (const std::uint64_t commits = database->commits(); commits != seen) {
      seen = commits;
      if (const auto kept = co_await store_quota.keep(); !kept)
        log::warn("the database's quota could not be kept", {{"why", kept.error().message}});
    }
    co_await program.clock.sleep_until(next_beat(program.clock.steady_now(), kQuotaInterval));
  }
}

// Where health asks the disk, for one look is as good as two.
DiskState EmbeddedPlatform::Parts::look_at_disk() {
  const DiskState state = disk.look();
  const OutputUse kept = code.outputs().kept();
  const OutputUse most = code.outputs().most();
  program.overload.report(Resource::outputs, std::max(share(kept.bytes, most.bytes), share(kept.files, most.files)));
  program.metrics.set("output_files_bytes", kept.bytes);
  program.metrics.set("output_files", kept.files);
  program.overload.report(Resource::database_log, share(database->log_bytes(), kMaxLogBytes));
  program.metrics.set("database_log_bytes", database->log_bytes());
  return state;
}

// Past the deadline the worker settles what clients wait for, and gives the rest back.
Task<void> EmbeddedPlatform::Parts::shut_down() {
  const SteadyTime deadline = program.clock.steady_now() + program.config.shutdown_timeout;
  host.worker().stop_taking();
  co_await controller.shut_down(deadline, [this, deadline] { return host.worker().drain(deadline); });
  const auto ended = co_await queue->end_epoch();
  if (!ended) log::warn("the stop could not be written down, and counts as a crash", {{"code", ended.error().code}});
}

Result<std::unique_ptr<EmbeddedPlatform>> EmbeddedPlatform::open(Program& program, sandbox::Launcher& launcher) {
  auto database = Database::open(program.folder.path() / "infra.db", program.executor, program.clock);
  if (!database) return fail(database.error());
  auto queue = SqliteJobQueue::open(**database);
  if (!queue) return fail(queue.error());
  auto quarantine = SqliteQuarantine::open(**database);
  if (!quarantine) return fail(quarantine.error());
  auto parts =
      std::make_unique<Parts>(program, launcher, std::move(*database), std::move(*queue), std::move(*quarantine));
  parts->tell_of_strikes();
  return std::unique_ptr<EmbeddedPlatform>(new EmbeddedPlatform(std::move(parts)));
}

EmbeddedPlatform::EmbeddedPlatform(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

// Coroutines hold references to the parts: the threads end first.
EmbeddedPlatform::~EmbeddedPlatform() {
  parts_->controller.door().close();
  parts_->program.network.stop();
}

Result<std::uint16_t> EmbeddedPlatform::start(const std::string& address) {
  auto& parts = *parts_;
  auto port = parts.controller.door().open(address);
  if (!port) return port;
  auto& program = parts.program;
  program.executor.spawn("worker", parts.host.worker().run());
  program.executor.spawn("telling of functions", parts.functions_watch.tell_of_all());
  spawn_supervised(program.executor, program.clock, "sweep", [&parts] { return parts.sweep_on(); });
  spawn_supervised(program.executor, program.clock, "quota", [&parts] { return parts.keep_quota(); });
  return port;
}

Holdings EmbeddedPlatform::holdings() const {
  Holdings all;
  parts_->host.worker().list_holdings(all);
  parts_->queue->list_holdings(all);
  parts_->concurrency.list_holdings(all);
  parts_->results.list_holdings(all);
  parts_->database->list_holdings(all);
  return all;
}

void EmbeddedPlatform::shut_down() {
  auto& parts = *parts_;
  parts.stopping = true;
  parts.controller.door().stop_accepting();
  parts.program.network.run_blocking(parts.shut_down());
}

}  // namespace infra
