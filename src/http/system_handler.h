// The platform about itself: health, metrics, its own log, workers, models.
#pragma once

#include <functional>

#include "app/health_monitor.h"
#include "http/route.h"
#include "ports/clock.h"
#include "ports/model_catalog.h"
#include "ports/worker_registry.h"
#include "telemetry/metrics.h"

namespace infra::http {

// What the handler asks the rest of the program at the moment of a request.
struct SystemView {
  std::function<bool()> draining;
  std::function<Task<GaugeSample>()> gauges;
  std::function<Task<void>()> refresh_workers;  // so that the worker inside this program is listed as it is now
};

class SystemHandler {
 public:
  SystemHandler(app::HealthMonitor& health, Metrics& metrics, WorkerRegistry& workers, ModelCatalog& models,
                Clock& clock, SystemView view)
      : health_(health),
        metrics_(metrics),
        workers_(workers),
        models_(models),
        clock_(clock),
        started_(clock.steady_now()),
        view_(std::move(view)) {}

  Task<Result<net::Response>> health(Context& context);
  Task<Result<net::Response>> metrics(Context& context);
  Task<Result<net::Response>> logs(Context& context);
  Task<Result<net::Response>> heartbeat(Context& context);
  Task<Result<net::Response>> workers(Context& context);
  Task<Result<net::Response>> system_status(Context& context);
  Task<Result<net::Response>> models(Context& context);

 private:
  Task<Result<std::vector<Heartbeat>>> known_workers();

  app::HealthMonitor& health_;
  Metrics& metrics_;
  WorkerRegistry& workers_;
  ModelCatalog& models_;
  Clock& clock_;
  SteadyTime started_;
  SystemView view_;
};

}  // namespace infra::http
