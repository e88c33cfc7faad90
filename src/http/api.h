// The HTTP interface as a whole: the route tables and the middleware, on one page in api.cc.
#pragma once

#include <string>
#include <vector>

#include "app/function_names.h"
#include "app/id_source.h"
#include "http/advice_handler.h"
#include "http/authentication.h"
#include "http/dashboard_handler.h"
#include "http/events_handler.h"
#include "http/functions_handler.h"
#include "http/keys_handler.h"
#include "http/logs_handler.h"
#include "http/middleware.h"
#include "http/monitoring_handler.h"
#include "http/route.h"
#include "http/runs_handler.h"
#include "http/series_handler.h"
#include "http/system_handler.h"
#include "net/http/http_types.h"
#include "telemetry/spans.h"

namespace infra::http {

struct ApiSettings {
  std::string api_key;
  bool metrics_public = false;
  std::vector<std::string> cors_origins;
  int trusted_proxy_hops = 0;
  RatePolicy rate;
  Pause after_wrong_key{};
  app::KnownKeys* keys = nullptr;  // http::Keyring's
  app::Audit* audit = nullptr;
  Spans* spans = nullptr;  // gets a span of each request; null: nobody wants them
};

struct Handlers {
  app::FunctionNames& names;
  app::Audit& audit;
  FunctionsHandler& functions;
  RunsHandler& runs;
  LogsHandler& logs;
  AdviceHandler& advice;
  SeriesHandler& series;
  MonitoringHandler& status;
  SystemHandler& system;
  KeysHandler& keys;
  DashboardHandler& dashboard;
  EventsHandler& events;
};

// The route tables. The handlers must outlive them.
[[nodiscard]] std::vector<Route> controller_routes(Handlers handlers, bool metrics_public);
// Of `infra worker`. Without an API key its metrics are open, and its log is not to be had.
[[nodiscard]] std::vector<Route> worker_routes(MonitoringHandler& status, bool has_key, bool metrics_public);

class Api {
 public:
  Api(ApiSettings settings, std::vector<Route> routes, RateLimiter& limiter, app::IdSource& ids, const Clock& clock,
      Metrics& metrics, EventRing& events);

  // Any event thread.
  Task<net::Response> handle(net::Request& request);
  // For requests that never became one.
  [[nodiscard]] net::Response refuse(const Error& error);

 private:
  ApiSettings settings_;
  Router router_;
  app::IdSource& ids_;
  Metrics& metrics_;
  Next chain_;
};

}  // namespace infra::http
