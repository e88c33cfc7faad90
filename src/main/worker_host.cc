#include "main/worker_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error_codes.h"
#include "main/run_spans.h"
#include "telemetry/log.h"

namespace infra {
namespace {

worker::WorkerOptions worker_options(const WorkerEngines& engines, WorkerHost::Company company,
                                     const Program& program) {
  const HostMachine& machine = program.machine;
  worker::WorkerOptions options;
  options.max_concurrent = max_concurrent_jobs(engines.launcher, machine);
  options.processors = machine.processors;
  options.memory_budget_mb = static_cast<int>(machine.memory_mb * 3 / 4);  // the rest is the system's and Infra's own
  options.idle_timeout = program.config.idle_timeout;
  options.short_of_memory = machine.short_of_memory;
  options.unpacked.has_room = engines.has_room;
  options.receive_on_each_thread = company == WorkerHost::Company::alone;
  options.others_take_over = company == WorkerHost::Company::fleet;
  return options;
}

void log_run(const JobResult& result) {
  log::info("run", {{"requestId", result.request_id.value},
                    {"traceId", result.trace_id},
                    {"functionId", result.function_id.value},
                    {"status", to_string(result.status)},
                    {"code", result.error_code},
                    {"durationMs", result.duration_ms},
                    {"coldStart", result.cold_start}});
}

std::function<void(const JobResult&, const Job&, const worker::RunTimes&)> tell_of_spans(Program& program) {
  if (!program.spans.exported()) return {};
  return [&program](const JobResult& result, const Job& job, const worker::RunTimes& times) {
    tell_of_run(program.spans, program.ids, result, job, times);
  };
}

}  // namespace

int max_concurrent_jobs(const sandbox::Launcher& launcher, const HostMachine& machine) {
  return std::min(launcher.capacity(), 8 * machine.processors);  // functions wait for others more than they compute
}

WorkerId make_worker_id(Program& program) {
  return {fmt::format("{}-{}", program.machine.name, program.ids.request_id().value.substr(24))};
}

WorkerHost::WorkerHost(Program& program, WorkerId id, Company company, WorkerEngines engines)
    : id_(std::move(id)),
      clock_(program.clock),
      ai_proxy_(program.network.ai_proxy(engines.http, program.clock, program.config.ai_node_url)),
      settle_(engines.settlements, engines.results, engines.logs, program.clock, program.events,
              // In a fleet the controller that accepted a run counts it, when it hears of its result.
              company == Company::fleet ? nullptr : &program.metrics),
      worker_({.queue = engines.queue,
               .code = engines.code,
               .bundles = bundles_,
               .settlement = settle_,
               .launcher = engines.launcher,
               .limiter = engines.limiter,
               .ai = ai_proxy_.get(),
               .executor = program.executor,
               .clock = program.clock,
               .versions_root = versions_folder(program.folder.path()),
               .id = id_,
               .on_finished =
                   [&metrics = program.metrics, &clock = program.clock, live = engines.live, company](
                       const JobResult& result, const Job& job) {
                     if (live != nullptr && live->is_wanted()) live->tell(run_finished(result, clock.now()));
                     metrics.job(job.runtime, result);
                     if (result.error_code == errors::worker_lost) metrics.count("jobs_given_up_total");
                     // On one machine a sync run has its request's line.
                     if (company == Company::fleet || job.mode == RunMode::async) log_run(result);
                   },
               .on_not_reused =
                   [&metrics = program.metrics](Runtime runtime, worker::Leftover left) {
                     metrics.count("worker_instances_not_reused_total", to_string(runtime), worker::to_string(left));
                   },
               .suspects = engines.suspects,
               .quarantine = &engines.quarantine,
               .on_lost = [&metrics = program.metrics](const Job&) { metrics.count("worker_runs_lost_total"); },
               .on_settled = tell_of_spans(program),
               .on_begun =
                   [&metrics = program.metrics](const Job&, milliseconds waited) {
                     metrics.observe("job_wait_seconds", std::chrono::duration<double>(waited).count());
                   },
               .live = engines.live},
              worker_options(engines, company, program)),
      egress_check_(engines.launcher, program.executor),
      probe_(engines.launcher) {}

Heartbeat WorkerHost::heartbeat(std::string status) const {
  const auto now = clock_.now();
  const auto seen = worker_.status();
  Heartbeat beat{.worker_id = id_,
                 .status = std::move(status),
                 .active_jobs = seen.active_jobs,
                 .uptime_seconds = seen.uptime_seconds,
                 .timestamp = to_iso8601(now),
                 .received_at = now};
  for (const auto& [runtime, count] : seen.pools) beat.pools[std::string(to_string(runtime))] = count;
  return beat;
}

}  // namespace infra
