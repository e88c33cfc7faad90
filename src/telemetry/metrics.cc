#include "telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "core/mutex.h"
#include "telemetry/log.h"
#include "telemetry/metrics_text.h"
#include "telemetry/task_failures.h"

namespace infra {
namespace {

constexpr std::size_t kMaxFunctionLabels = 1000;

// From a warm call (under a millisecond) to the longest time-out a function may have.
const prometheus::Histogram::BucketBoundaries kSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                          0.5,    1,     2.5,    5,     10,   30,    60,   300, 900};

using Counters = prometheus::Family<prometheus::Counter>;
using Gauges = prometheus::Family<prometheus::Gauge>;
using Histograms = prometheus::Family<prometheus::Histogram>;
using Family = std::variant<Counters*, Gauges*, Histograms*>;

Family registered(const MetricRow& row, prometheus::Registry& registry) {
  const std::string name(row.name);
  const std::string help(row.help);
  switch (row.kind) {
    case MetricKind::gauge:
      return &prometheus::BuildGauge().Name(name).Help(help).Register(registry);
    case MetricKind::histogram:
      return &prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
    case MetricKind::counter:
      break;
  }
  auto& counters = prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  if (row.label_count() == 0) counters.Add({});  // seen as 0 before the first
  return &counters;
}

}  // namespace

struct Metrics::State {
  State() {
    for (const MetricRow& row : kMetrics) families.push_back(registered(row, registry));
  }

  std::string function_label(const FunctionId& id) {
    const MutexLock lock(mutex);
    if (functions.contains(id.value)) return id.value;
    if (functions.size() >= kMaxFunctionLabels) return "other";
    functions.insert(id.value);
    return id.value;
  }

  prometheus::Registry registry;
  std::vector<Family> families;  // as the table's rows
  Mutex mutex;
  std::unordered_set<std::string> functions INFRA_GUARDED_BY(mutex);
  // As they are told already.
  std::uint64_t dropped_lines INFRA_GUARDED_BY(mutex) = 0;
  std::map<std::string, std::uint64_t> task_failures INFRA_GUARDED_BY(mutex);
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::add(std::size_t row, const LabelValues& values, double value) {
  prometheus::Labels labels;
  for (std::size_t i = 0; i < kMetrics.at(row).label_count(); ++i)
    labels.emplace(kMetrics.at(row).labels.at(i), values.at(i));
  const Family& family = state_->families.at(row);
  if (auto* const* counters = std::get_if<Counters*>(&family)) {
    (*counters)->Add(labels).Increment(value);
  } else if (auto* const* gauges = std::get_if<Gauges*>(&family)) {
    (*gauges)->Add(labels).Set(value);
  } else {
    std::get<Histograms*>(family)->Add(labels, kSeconds).Observe(value);
  }
}

void Metrics::request(std::string_view method, std::string_view route, int status, double seconds) {
  const std::string code = std::to_string(status);
  count("http_requests_total", method, route, code);
  observe("http_request_duration_seconds", seconds, method, route, code);
}

void Metrics::run(const FunctionId& function, RunStatus status, double duration_ms, std::optional<double> handler_ms) {
  const std::string label = state_->function_label(function);
  const std::string_view outcome = to_string(status);
  count("function_invocations_total", label, outcome);
  observe("function_duration_seconds", duration_ms / 1000, label, outcome);
  if (handler_ms) observe("function_handler_duration_seconds", *handler_ms / 1000, label, outcome);
}

void Metrics::job(Runtime runtime, const JobResult& result) {
  count("worker_jobs_total", to_string(runtime), to_string(result.status));
  observe("worker_job_duration_seconds", result.duration_ms / 1000, to_string(runtime));
  if (!result.cold_start) return;
  count("worker_cold_starts_total", to_string(runtime));
  if (!result.handler_ms) return;
  const double start_ms = std::max(0.0, result.duration_ms - *result.handler_ms);
  observe("function_cold_start_seconds", start_ms / 1000, to_string(runtime));
}

// What is counted for the whole program, wherever it has metrics.
void Metrics::add_programs() {
  constexpr MetricRef<MetricKind::counter, 0> kDropped("log_lines_dropped_total");
  constexpr MetricRef<MetricKind::counter, 1> kFailures("task_failures_total");
  const MutexLock lock(state_->mutex);
  const auto dropped = log::dropped_lines();
  add(kDropped.row, {}, static_cast<double>(dropped - std::exchange(state_->dropped_lines, dropped)));
  for (const auto& [task, count] : task_failures())
    add(kFailures.row, {task}, static_cast<double>(count - std::exchange(state_->task_failures[task], count)));
}

std::string Metrics::render(const GaugeSample& sample) {
  add_programs();
  set("jobs_running", sample.jobs_running);
  if (sample.workers) set("workers_alive", *sample.workers);
  if (sample.jobs_waiting) set("worker_jobs_waiting", *sample.jobs_waiting);
  if (sample.answers) {
    set("worker_answer_bytes", static_cast<std::int64_t>(sample.answers->bytes));
    set("worker_answers_waiting", static_cast<std::int64_t>(sample.answers->waiting));
  }
  set("http_requests_in_flight", sample.requests_in_flight);
  for (const auto& [runtime, count] : sample.pools) set("worker_pool_instances", count, runtime);
  if (sample.queue) {
    set("job_queue_depth", sample.queue->ready, "ready");
    set("job_queue_depth", sample.queue->in_flight, "in_flight");
    set("job_queue_depth", sample.queue->dead, "dead");
  }
  auto families = state_->registry.Collect();
  // What can't be asked now is not told as it was.
  const auto leave_out = [&families](std::string_view name) {
    std::erase_if(families, [name](const auto& family) { return family.name == name; });
  };
  if (!sample.queue) leave_out("job_queue_depth");
  if (!sample.workers) leave_out("workers_alive");
  return metrics_text(families);
}

}  // namespace infra
