// The HTTP interface as a whole: the route table and the middleware, each on one page in api.cc.
#pragma once

#include <string>
#include <vector>

#include "app/id_source.h"
#include "http/functions_handler.h"
#include "http/logs_handler.h"
#include "http/middleware.h"
#include "http/route.h"
#include "http/runs_handler.h"
#include "http/system_handler.h"
#include "net/http_types.h"

namespace infra::http {

struct ApiSettings {
  std::string api_key;
  bool metrics_public = false;
  std::vector<std::string> cors_origins;
  int trusted_proxy_hops = 0;
  RatePolicy rate;
};

struct Handlers {
  FunctionsHandler functions;
  RunsHandler runs;
  LogsHandler logs;
  SystemHandler system;
};

class Api {
 public:
  Api(ApiSettings settings, Handlers handlers, RateLimiter& limiter, app::IdSource& ids, const Clock& clock,
      Metrics& metrics);

  // Any event thread.
  Task<net::Response> handle(net::Request& request);
  // For requests that never became one.
  [[nodiscard]] net::Response refuse(const Error& error);

 private:
  ApiSettings settings_;
  Handlers handlers_;
  Router router_;
  app::IdSource& ids_;
  Metrics& metrics_;
  Next chain_;
};

}  // namespace infra::http
