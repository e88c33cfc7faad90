// Every metric of the platform: its name, kind, labels and help. A metric is a row here, and is counted where the thing
// happens, by its name (metrics.h). docs/operations.md has the table from here (`./dev docs`, which reads this text: a
// row's strings are plain literals). Names and labels that dashboards parse are kept for ever.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace infra {

enum class MetricKind : std::uint8_t { counter, gauge, histogram };

struct MetricRow {
  std::string_view name;
  MetricKind kind = MetricKind::counter;
  std::array<std::string_view, 3> labels{};  // the empty ones at the end are none
  std::string_view help;
  std::string_view about{};  // what the documents say of labels and meaning beyond `help`

  [[nodiscard]] constexpr std::size_t label_count() const {
    std::size_t count = 0;
    while (count < labels.size() && !labels.at(count).empty()) ++count;
    return count;
  }
};

// In the order in which a scrape shows those of a kind.
inline constexpr auto kMetrics = std::to_array<MetricRow>({
    {.name = "http_requests_total",
     .kind = MetricKind::counter,
     .labels = {"method", "route", "status_code"},
     .help = "HTTP requests answered.",
     .about = "`route` is the pattern"},
    {.name = "http_request_duration_seconds",
     .kind = MetricKind::histogram,
     .labels = {"method", "route", "status_code"},
     .help = "Time from a request's header to its answer."},
    {.name = "http_connections_closed_total",
     .kind = MetricKind::counter,
     .labels = {"reason"},
     .help = "Connections closed that had broken no rule of HTTP.",
     .about = "`share`, `table` and `reserve`: to make room for another; `slow`: for what they did not send or read"},
    {.name = "function_invocations_total",
     .kind = MetricKind::counter,
     .labels = {"functionId", "status"},
     .help = "Finished runs.",
     .about = "1,000 function ids at most, then `other`"},
    {.name = "function_duration_seconds",
     .kind = MetricKind::histogram,
     .labels = {"functionId", "status"},
     .help = "A run's time on the worker."},
    {.name = "function_handler_duration_seconds",
     .kind = MetricKind::histogram,
     .labels = {"functionId", "status"},
     .help = "A run's time in the handler alone."},
    {.name = "rate_limit_refusals_total",
     .kind = MetricKind::counter,
     .labels = {"bucket"},
     .help = "Requests refused by the rate limit.",
     .about = "`default`, and `auth` for wrong keys"},
    {.name = "function_busy_refusals_total",
     .kind = MetricKind::counter,
     .help = "Runs refused because as many of their function wait for its limit as may.",
     .about = "clients see `function_busy`"},
    {.name = "task_failures_total",
     .kind = MetricKind::counter,
     .labels = {"task"},
     .help = "Tasks that ended with an exception: a bug, which cost that task.",
     .about = "the log has what it was"},
    {.name = "log_lines_dropped_total",
     .kind = MetricKind::counter,
     .help = "Lines of the log that were dropped, because stdout took no more."},
    {.name = "function_quarantined_refusals_total",
     .kind = MetricKind::counter,
     .help = "Runs refused because their function's version took its worker down again and again.",
     .about = "clients see `function_quarantined`"},
    {.name = "job_strikes_total",
     .kind = MetricKind::counter,
     .help = "Jobs that were handed out when the program before this one was lost.",
     .about = "one machine; a job has three"},
    {.name = "jobs_given_up_total",
     .kind = MetricKind::counter,
     .help = "Jobs settled as worker_lost.",
     .about = "their worker was lost three times, or their version is in quarantine"},
    {.name = "worker_runs_lost_total",
     .kind = MetricKind::counter,
     .help = "Runs stopped because another worker has their job by now.",
     .about = "their results are dropped"},
    {.name = "worker_unreadable_messages_total",
     .kind = MetricKind::counter,
     .help = "Messages of the queue that say no request id; they are left to the dead-letter queue.",
     .about = "each once a worker"},
    {.name = "rate_limiter_local_total",
     .kind = MetricKind::counter,
     .help = "Requests judged by this controller's own window alone, because Redis was away."},
    {.name = "worker_jobs_total",
     .kind = MetricKind::counter,
     .labels = {"runtime", "status"},
     .help = "Jobs settled by this worker."},
    {.name = "worker_cold_starts_total",
     .kind = MetricKind::counter,
     .labels = {"runtime"},
     .help = "Jobs for which a new instance was started."},
    {.name = "worker_instances_not_reused_total",
     .kind = MetricKind::counter,
     .labels = {"runtime", "reason"},
     .help = "Instances ended for what a call had left behind in them.",
     .about = "processes, threads, connections or a full disk"},
    {.name = "worker_job_duration_seconds",
     .kind = MetricKind::histogram,
     .labels = {"runtime"},
     .help = "A job's time on this worker."},
    {.name = "function_cold_start_seconds",
     .kind = MetricKind::histogram,
     .labels = {"runtime"},
     .help = "What a cold start added to a job: its time on this worker less its handler's.",
     .about = "fetching, compiling, starting and loading; of jobs whose handler began"},
    {.name = "job_wait_seconds",
     .kind = MetricKind::histogram,
     .help = "Time from a job's acceptance until this worker began it.",
     .about = "after a loss the time of earlier starts is a part of it"},
    {.name = "engine_up",
     .kind = MetricKind::gauge,
     .labels = {"engine"},
     .help = "1 while the engine answers this program's health probe, else 0.",
     .about = "the names of `checks` in `GET /health`"},
    {.name = "workers_alive",
     .kind = MetricKind::gauge,
     .help = "Workers that a controller knows: those with a heartbeat of the last half minute."},
    {.name = "job_queue_depth",
     .kind = MetricKind::gauge,
     .labels = {"state"},
     .help = "Jobs in the queue by state.",
     .about = "ready, in_flight, dead; none of them while the queue can't be asked"},
    {.name = "jobs_running",
     .kind = MetricKind::gauge,
     .help = "Jobs that run now, on all workers that this program knows."},
    {.name = "worker_jobs_waiting",
     .kind = MetricKind::gauge,
     .help = "Jobs at this worker that wait without a slot.",
     .about = "for their function's `maxConcurrency`, for memory or for a compiler; in a fleet also after a loss, for "
              "the one "
              "before"},
    {.name = "worker_answer_bytes",
     .kind = MetricKind::gauge,
     .help = "Bytes that large answers of functions hold until their results are kept.",
     .about = "of 64 MiB; answers up to 64 KiB are not counted"},
    {.name = "worker_answers_waiting",
     .kind = MetricKind::gauge,
     .help = "Large answers that are not read before others have given their bytes back."},
    {.name = "http_requests_in_flight", .kind = MetricKind::gauge, .help = "Requests that wait for their answer."},
    {.name = "worker_pool_instances",
     .kind = MetricKind::gauge,
     .labels = {"runtime"},
     .help = "Warm instances by runtime."},
    {.name = "output_files_bytes",
     .kind = MetricKind::gauge,
     .help = "What the kept output files take in the data folder.",
     .about = "on one machine"},
    {.name = "output_files",
     .kind = MetricKind::gauge,
     .help = "Kept output files, and their folders.",
     .about = "on one machine"},
    {.name = "database_log_bytes",
     .kind = MetricKind::gauge,
     .help = "The write-ahead log of infra.db.",
     .about = "more than 16 MiB for long: somebody outside keeps a transaction open"},
    {.name = "overload_pressure",
     .kind = MetricKind::gauge,
     .labels = {"resource"},
     .help = "How much of a resource is used, from 0 to 1.",
     .about = "connections, descriptors, buffered_bytes, frame_budget, disk, outputs, database_log; those that this "
              "program counts"},
    {.name = "overload_action_active",
     .kind = MetricKind::gauge,
     .labels = {"action"},
     .help = "1 while the overload manager asks for the action.",
     .about = "close_slow, stop_outputs, stop_uploads, shed_async, replace_connections"},
});

}  // namespace infra
