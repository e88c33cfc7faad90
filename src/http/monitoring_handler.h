// A program about itself, controller and worker alike: health, metrics, what happened last.
#pragma once

#include <functional>

#include "app/health_monitor.h"
#include "http/route.h"
#include "telemetry/event_ring.h"
#include "telemetry/metrics.h"
#include "telemetry/overload.h"

namespace infra::http {

// The handler's view of the rest of the program at the moment of a request.
struct MonitoringView {
  std::function<bool()> draining;
  std::function<Task<GaugeSample>()> gauges;
  const Overload* overload = nullptr;     // null: health does not speak of it
  std::function<bool()> configuration{};  // whether there is a store for it; empty: health does not speak of it
};

class MonitoringHandler {
 public:
  MonitoringHandler(app::HealthMonitor& health, Metrics& metrics, const EventRing& events, MonitoringView view)
      : health_(health), metrics_(metrics), events_(events), view_(std::move(view)) {}

  // The service's name and routes, for a client that comes without a path.
  Task<Result<net::Response>> overview(Context& context);
  Task<Result<net::Response>> health(Context& context);
  Task<Result<net::Response>> metrics(Context& context);
  Task<Result<net::Response>> logs(Context& context);

 private:
  app::HealthMonitor& health_;
  Metrics& metrics_;
  const EventRing& events_;
  MonitoringView view_;
};

}  // namespace infra::http
