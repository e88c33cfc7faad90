// The platform's metrics, in Prometheus' terms. The metrics that existing dashboards parse keep their names and
// labels.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/function.h"
#include "core/job_result.h"

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
  std::optional<std::int64_t> jobs_waiting{};  // at this program's own worker; none if it has none
  std::int64_t requests_in_flight = 0;
  std::map<std::string, int> pools;  // runtime -> warm instances
};

// Any thread.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // `route` is the pattern ("/functions/:id"), never the path, so that its values are bounded.
  void request(std::string_view method, std::string_view route, int status, double seconds);
  // The first 1,000 function ids have a label value of their own, the others share "other".
  void run(const FunctionId& function, RunStatus status, double duration_ms, std::optional<double> handler_ms);
  // A job that this program's worker has settled; several workers may settle one job, each counts what it did.
  void job(Runtime runtime, RunStatus status, bool cold_start, double duration_ms);
  // An instance that was ended after a call for what that had left in it.
  void instance_not_reused(Runtime runtime, std::string_view reason);
  void rate_limited(std::string_view bucket);
  // A run refused because as many of its function wait as may.
  void function_busy();
  // A message of the queue that does not say whose request it is.
  void unreadable_message();
  // A request that only this program's own window judged, because Redis was away.
  void rate_judged_locally();

  // The text exposition format, version 0.0.4.
  [[nodiscard]] std::string render(const GaugeSample& sample);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace infra
