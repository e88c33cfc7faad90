// The listening side of a program: its routes behind the middleware, the health that is probed in the background, and
// an orderly end.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "app/health_monitor.h"
#include "http/api.h"
#include "http/wrong_key_delay.h"
#include "main/program.h"
#include "main/span_export.h"
#include "net/http/http_server.h"
#include "ports/rate_limiter.h"

namespace infra {

// What a controller's has; a worker's has none of it.
struct ControllerDoor {
  std::function<bool()> configuration{};  // health's word on it (http::MonitoringView)
  app::KnownKeys* keys = nullptr;         // http::ApiSettings'
  app::Audit* audit = nullptr;
};

// Referenced objects must outlive it, and so must the event threads that run its requests.
class FrontDoor {
 public:
  // Fills in the queue, the workers and their jobs; requests in flight are added here.
  using Gauges = std::function<Task<GaugeSample>()>;
  using Routes = std::function<std::vector<http::Route>(http::MonitoringHandler&)>;

  FrontDoor(Program& program, RateLimiter& limiter, std::vector<HealthProbe*> probes, Gauges gauges,
            const Routes& routes, ControllerDoor controller = {});

  // Probes every engine once, then listens; gives the port.
  Result<std::uint16_t> open(const std::string& address);
  // From here on health is 503 and no connection is accepted. Any thread.
  void stop_accepting();
  // True once every request is answered; false at the deadline. Any event thread.
  Task<bool> answered(SteadyTime deadline) { return server_->drained(deadline); }
  // Closes everything, now. The main thread; also if it was never opened.
  void close();

 private:
  Task<GaugeSample> gauges();
  Task<void> watch_descriptors();

  Program& program_;
  const Gauges gauges_;
  std::atomic<bool> draining_ = false;
  app::HealthMonitor health_;
  http::MonitoringHandler status_;
  http::WrongKeyDelay wrong_keys_;
  http::Api api_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<SpanExport> spans_;  // null: nobody takes them
};

}  // namespace infra
