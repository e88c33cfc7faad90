// Asks every engine in the background whether it works, so that GET /health answers at once and never hangs with an
// engine.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ports/clock.h"
#include "ports/executor.h"
#include "ports/health_probe.h"

namespace infra::app {

struct EngineHealth {
  bool ok = false;
  double latency_ms = 0;
  std::string error;  // empty when ok
};

class HealthMonitor {
 public:
  static constexpr milliseconds kDeadline{1000};

  // The probes must outlive the executor's threads.
  HealthMonitor(std::vector<HealthProbe*> probes, milliseconds interval, Executor& executor, Clock& clock);
  ~HealthMonitor();
  HealthMonitor(const HealthMonitor&) = delete;
  HealthMonitor& operator=(const HealthMonitor&) = delete;

  // Probes every engine once, all at a time, then goes on in the background until stop().
  Task<void> start();
  void stop();

  [[nodiscard]] std::map<std::string, EngineHealth> snapshot() const;  // any thread

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace infra::app
