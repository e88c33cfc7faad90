#include "telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <mutex>
#include <unordered_set>

#include "telemetry/metrics_text.h"

namespace infra {
namespace {

constexpr std::size_t kMaxFunctionLabels = 1000;

// From a warm call (under a millisecond) to the longest time-out a function may have.
const prometheus::Histogram::BucketBoundaries kSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                          0.5,    1,     2.5,    5,     10,   30,    60,   300, 900};

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter().Name("http_requests_total").Help("HTTP requests answered.").Register(registry);
  prometheus::Family<prometheus::Histogram>& request_seconds = prometheus::BuildHistogram()
                                                                   .Name("http_request_duration_seconds")
                                                                   .Help("Time from a request's header to its answer.")
                                                                   .Register(registry);
  prometheus::Family<prometheus::Counter>& invocations =
      prometheus::BuildCounter().Name("function_invocations_total").Help("Finished runs.").Register(registry);
  prometheus::Family<prometheus::Histogram>& run_seconds = prometheus::BuildHistogram()
                                                               .Name("function_duration_seconds")
                                                               .Help("A run's time on the worker.")
                                                               .Register(registry);
  prometheus::Family<prometheus::Histogram>& handler_seconds = prometheus::BuildHistogram()
                                                                   .Name("function_handler_duration_seconds")
                                                                   .Help("A run's time in the handler alone.")
                                                                   .Register(registry);
  prometheus::Family<prometheus::Counter>& refused = prometheus::BuildCounter()
                                                         .Name("rate_limit_refusals_total")
                                                         .Help("Requests refused by the rate limit.")
                                                         .Register(registry);
  prometheus::Counter& busy = prometheus::BuildCounter()
                                  .Name("function_busy_refusals_total")
                                  .Help("Runs refused because as many of their function wait for its limit as may.")
                                  .Register(registry)
                                  .Add({});
  prometheus::Counter& unreadable =
      prometheus::BuildCounter()
          .Name("worker_unreadable_messages_total")
          .Help("Messages of the queue that say no request id; they are left to the dead-letter queue.")
          .Register(registry)
          .Add({});
  prometheus::Counter& judged_locally =
      prometheus::BuildCounter()
          .Name("rate_limiter_local_total")
          .Help("Requests judged by this controller's own window alone, because Redis was away.")
          .Register(registry)
          .Add({});
  prometheus::Family<prometheus::Counter>& jobs =
      prometheus::BuildCounter().Name("worker_jobs_total").Help("Jobs settled by this worker.").Register(registry);
  prometheus::Family<prometheus::Counter>& cold_starts = prometheus::BuildCounter()
                                                             .Name("worker_cold_starts_total")
                                                             .Help("Jobs for which a new instance was started.")
                                                             .Register(registry);
  prometheus::Family<prometheus::Counter>& not_reused =
      prometheus::BuildCounter()
          .Name("worker_instances_not_reused_total")
          .Help("Instances ended for what a call had left behind in them.")
          .Register(registry);
  prometheus::Family<prometheus::Histogram>& job_seconds = prometheus::BuildHistogram()
                                                               .Name("worker_job_duration_seconds")
                                                               .Help("A job's time on this worker.")
                                                               .Register(registry);
  prometheus::Family<prometheus::Gauge>& queue =
      prometheus::BuildGauge().Name("job_queue_depth").Help("Jobs in the queue by state.").Register(registry);
  prometheus::Gauge& running = prometheus::BuildGauge()
                                   .Name("jobs_running")
                                   .Help("Jobs that run now, on all workers that this program knows.")
                                   .Register(registry)
                                   .Add({});
  prometheus::Family<prometheus::Gauge>& waiting =
      prometheus::BuildGauge()
          .Name("worker_jobs_waiting")
          .Help("Jobs at this worker that wait for their function's limit of runs at once.")
          .Register(registry);
  prometheus::Gauge& in_flight = prometheus::BuildGauge()
                                     .Name("http_requests_in_flight")
                                     .Help("Requests that wait for their answer.")
                                     .Register(registry)
                                     .Add({});
  prometheus::Family<prometheus::Gauge>& pools =
      prometheus::BuildGauge().Name("worker_pool_instances").Help("Warm instances by runtime.").Register(registry);

  std::string function_label(const FunctionId& id) {
    const std::scoped_lock lock(mutex);
    if (functions.contains(id.value)) return id.value;
    if (functions.size() >= kMaxFunctionLabels) return "other";
    functions.insert(id.value);
    return id.value;
  }

  std::mutex mutex;
  std::unordered_set<std::string> functions;
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::request(std::string_view method, std::string_view route, int status, double seconds) {
  const prometheus::Labels labels = {
      {"method", std::string(method)}, {"route", std::string(route)}, {"status_code", std::to_string(status)}};
  state_->requests.Add(labels).Increment();
  state_->request_seconds.Add(labels, kSeconds).Observe(seconds);
}

void Metrics::run(const FunctionId& function, RunStatus status, double duration_ms, std::optional<double> handler_ms) {
  const prometheus::Labels labels = {{"functionId", state_->function_label(function)},
                                     {"status", std::string(to_string(status))}};
  state_->invocations.Add(labels).Increment();
  state_->run_seconds.Add(labels, kSeconds).Observe(duration_ms / 1000);
  if (handler_ms) state_->handler_seconds.Add(labels, kSeconds).Observe(*handler_ms / 1000);
}

void Metrics::job(Runtime runtime, RunStatus status, bool cold_start, double duration_ms) {
  const std::string name(to_string(runtime));
  state_->jobs.Add({{"runtime", name}, {"status", std::string(to_string(status))}}).Increment();
  if (cold_start) state_->cold_starts.Add({{"runtime", name}}).Increment();
  state_->job_seconds.Add({{"runtime", name}}, kSeconds).Observe(duration_ms / 1000);
}

void Metrics::unreadable_message() {
  state_->unreadable.Increment();
}

void Metrics::function_busy() {
  state_->busy.Increment();
}

void Metrics::instance_not_reused(Runtime runtime, std::string_view reason) {
  state_->not_reused.Add({{"runtime", std::string(to_string(runtime))}, {"reason", std::string(reason)}}).Increment();
}

void Metrics::rate_judged_locally() {
  state_->judged_locally.Increment();
}

void Metrics::rate_limited(std::string_view bucket) {
  state_->refused.Add({{"bucket", std::string(bucket)}}).Increment();
}

std::string Metrics::render(const GaugeSample& sample) {
  const auto queue = sample.queue.value_or(GaugeSample::Queue{});
  for (const auto& [state, depth] :
       {std::pair{"ready", queue.ready}, {"in_flight", queue.in_flight}, {"dead", queue.dead}}) {
    auto& gauge = state_->queue.Add({{"state", state}});
    gauge.Set(static_cast<double>(depth));
    if (!sample.queue) state_->queue.Remove(&gauge);
  }
  state_->running.Set(static_cast<double>(sample.jobs_running));
  if (sample.jobs_waiting) state_->waiting.Add({}).Set(static_cast<double>(*sample.jobs_waiting));
  state_->in_flight.Set(static_cast<double>(sample.requests_in_flight));
  for (const auto& [runtime, count] : sample.pools) state_->pools.Add({{"runtime", runtime}}).Set(count);
  return metrics_text(state_->registry.Collect());
}

}  // namespace infra
