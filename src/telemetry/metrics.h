// The platform's metrics, in Prometheus' terms. What happens is counted where it happens, by whoever is given the
// Metrics: `metrics.count("rate_limit_refusals_total", "auth")`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/byte_budget.h"
#include "core/job_result.h"
#include "core/runtime.h"
#include "telemetry/metric_table.h"

namespace infra {

// Read when a scraper asks.
struct GaugeSample {
  struct Queue {
    std::int64_t ready = 0;
    std::int64_t in_flight = 0;
    std::int64_t dead = 0;
  };
  std::optional<Queue> queue{};  // none: it can't be asked now, and no depth is told
  std::int64_t jobs_running = 0;
  std::optional<std::int64_t> workers{};       // that are alive; none if this program does not know
  std::optional<std::int64_t> jobs_waiting{};  // at this program's own worker; none if it has none
  std::optional<ByteBudget::Use> answers{};    // the same of its worker's large answers
  std::int64_t requests_in_flight = 0;
  std::map<std::string, int> pools;  // runtime -> warm instances
};

// A row of the table, by its name. One that has no row, or is of another kind or has other labels, does not compile.
template <MetricKind kKind, std::size_t kLabels>
struct MetricRef {
  template <std::size_t kSize>
  // NOLINTNEXTLINE(google-explicit-constructor): a call names the metric as a plain literal
  consteval MetricRef(const char (&name)[kSize]) : row(place_of({name, kSize - 1})) {
    if (kMetrics.at(row).kind != kKind) throw "the metric is of another kind";
    if (kMetrics.at(row).label_count() != kLabels) throw "the metric has other labels";
  }
  std::size_t row;

 private:
  static consteval std::size_t place_of(std::string_view name) {
    std::size_t place = 0;
    while (kMetrics.at(place).name != name) ++place;  // at() ends the compilation behind the last
    return place;
  }
};

// Any thread.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The values of the labels, in the table's order. Each is one of a few: what clients choose freely is no label.
  template <typename... Labels>
  void count(MetricRef<MetricKind::counter, sizeof...(Labels)> metric, const Labels&... labels) {
    add(metric.row, {std::string_view(labels)...});
  }
  // By more than one.
  void increase(MetricRef<MetricKind::counter, 0> metric, std::uint64_t by) {
    add(metric.row, {}, static_cast<double>(by));
  }
  template <typename... Labels>
  void observe(MetricRef<MetricKind::histogram, sizeof...(Labels)> metric, double value, const Labels&... labels) {
    add(metric.row, {std::string_view(labels)...}, value);
  }

  // What several metrics tell of.
  // `route` is the pattern ("/functions/:id"), never the path, so that its values are bounded.
  void request(std::string_view method, std::string_view route, int status, double seconds);
  // The first 1,000 function ids have a label value of their own, the others share "other".
  void run(const FunctionId& function, RunStatus status, double duration_ms, std::optional<double> handler_ms);
  // A job that this program's worker has settled; several workers may settle one job, each counts what it did.
  void job(Runtime runtime, const JobResult& result);

  template <typename Number, typename... Labels>
    requires std::is_arithmetic_v<Number>
  void set(MetricRef<MetricKind::gauge, sizeof...(Labels)> metric, Number value, const Labels&... labels) {
    add(metric.row, {std::string_view(labels)...}, static_cast<double>(value));
  }

  // The text exposition format, version 0.0.4.
  [[nodiscard]] std::string render(const GaugeSample& sample);

 private:
  using LabelValues = std::array<std::string_view, MetricRow{}.labels.size()>;
  void add(std::size_t row, const LabelValues& labels, double value = 1);

  void add_programs();

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace infra
