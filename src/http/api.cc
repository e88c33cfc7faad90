#include "http/api.h"

#include "core/client_address.h"
#include "core/function_name.h"
#include "http/error_response.h"

namespace infra::http {
namespace {

template <typename Handler>
RouteHandler bind(Handler& handler, Task<Result<net::Response>> (Handler::*method)(Context&)) {
  return [&handler, method](Context& context) { return (handler.*method)(context); };
}

constexpr std::string_view kOfAFunction = "/functions/:id";

Task<Result<net::Response>> answer_by_name(app::FunctionNames& names, std::string name, const RouteHandler& handler,
                                           Context& context) {
  const auto function = co_await names.find(std::move(name));
  if (!function) co_return fail(function.error());
  for (auto& [param, value] : context.params) {
    if (param == "id") value = function->id.value;
  }
  co_return co_await handler(context);
}

RouteHandler by_name_too(app::FunctionNames& names, RouteHandler handler) {
  return [&names, handler = std::move(handler)](Context& context) {
    const auto name = name_referred_to(context.param("id"));
    return name ? answer_by_name(names, std::string(*name), handler, context) : handler(context);
  };
}

// What comes without a path: a browser gets the dashboard, all others what there is.
RouteHandler front(DashboardHandler& dashboard, MonitoringHandler& status) {
  return [&dashboard, &status](Context& context) -> Task<Result<net::Response>> {
    auto response = co_await (dashboard.is_wanted(context) ? dashboard.page(context) : status.overview(context));
    if (response) response->headers.add("Vary", "Accept");
    co_return response;
  };
}

}  // namespace

// Every route exists as /x and as /api/x. What is not said to be open needs the key; what is limited counts on the
// client's rate.
std::vector<Route> controller_routes(Handlers h, bool metrics_public) {
  const auto key = Access::key;
  const auto open = Access::open;
  const auto health = Access::health;  // load balancers ask for it without headers
  const auto metrics = metrics_public ? open : key;
  const auto free = Rate::free;
  const auto limited = Rate::limited;
  using F = FunctionsHandler;
  using R = RunsHandler;
  using L = LogsHandler;
  using A = AdviceHandler;
  using S = SystemHandler;
  using P = MonitoringHandler;
  std::vector<Route> routes = {
      {"POST", "/run", key, limited, bind(h.runs, &R::run)},
      {"GET", "/status/:jobId", key, free, bind(h.runs, &R::status)},
      {"POST", "/upload", key, limited, bind(h.functions, &F::upload)},
      {"GET", "/functions", key, free, bind(h.functions, &F::list)},
      {"GET", "/functions/:id", key, free, bind(h.functions, &F::get)},
      {"PUT", "/functions/:id", key, limited, bind(h.functions, &F::update)},
      {"DELETE", "/functions/:id", key, limited, bind(h.functions, &F::remove)},
      {"GET", "/functions/:id/logs", key, free, bind(h.logs, &L::list)},
      {"GET", "/functions/:id/logs/:requestId", key, free, bind(h.logs, &L::get)},
      {"GET", "/functions/:id/logs/:requestId/files/*name", key, free, bind(h.logs, &L::file)},
      {"GET", "/functions/:id/advice", key, free, bind(h.advice, &A::get)},
      {"PUT", "/functions/:id/advice", key, limited, bind(h.advice, &A::apply)},
      {"GET", "/", open, free, front(h.dashboard, h.status)},
      {"GET", "/assets/:name", open, free, bind(h.dashboard, &DashboardHandler::asset)},
      {"GET", "/health", health, free, bind(h.status, &P::health)},
      {"GET", "/metrics", metrics, free, bind(h.status, &P::metrics)},
      {"GET", "/logs", key, free, bind(h.status, &P::logs)},
      {"POST", "/worker/heartbeat", key, free, bind(h.system, &S::heartbeat)},
      {"GET", "/workers", key, free, bind(h.system, &S::workers)},
      {"GET", "/worker/status", key, free, bind(h.system, &S::workers)},
      {"GET", "/system/status", key, free, bind(h.system, &S::system_status)},
      {"GET", "/models", key, free, bind(h.system, &S::models)},
  };
  // Where a function's id stands its name may stand; POST /run has it in its body.
  for (auto& route : routes) {
    if (route.pattern.starts_with(kOfAFunction)) route.handler = by_name_too(h.names, std::move(route.handler));
  }
  return routes;
}

std::vector<Route> worker_routes(MonitoringHandler& status, bool has_key, bool metrics_public) {
  using P = MonitoringHandler;
  std::vector<Route> routes = {
      {"GET", "/health", Access::health, Rate::free, bind(status, &P::health)},
      {"GET", "/metrics", metrics_public || !has_key ? Access::open : Access::key, Rate::free,
       bind(status, &P::metrics)},
  };
  if (has_key) routes.push_back({"GET", "/logs", Access::key, Rate::free, bind(status, &P::logs)});
  return routes;
}

Api::Api(ApiSettings settings, std::vector<Route> routes, RateLimiter& limiter, app::IdSource& ids, const Clock& clock,
         Metrics& metrics, EventRing& events)
    : settings_(std::move(settings)),
      router_(std::move(routes)),
      ids_(ids),
      metrics_(metrics),
      chain_(chain(
          {
              trace(metrics, events, clock),          // outermost: whatever happens is logged and has an id
              find_route(router_),                    // whether a key is needed stands in the route table
              allow_origins(settings_.cors_origins),  // browsers send preflights without a key
              refuse_repeated_headers(),              // before one of two keys is believed
              authenticate(settings_.api_key, limiter, metrics,
                           settings_.after_wrong_key),  // before anything of the body is read
              limit_rate(limiter, settings_.rate, clock,
                         metrics),  // authenticated requests only, still before the body
              decode_bodies(),      // nothing is read before a handler reads
          },
          dispatch())) {}

Task<net::Response> Api::handle(net::Request& request) {
  Context context{.request = request, .id = ids_.request_id()};
  const int hops = settings_.trusted_proxy_hops;
  // Each proxy may add a line of its own: the last one's is the last entry of all lines together.
  context.client =
      hops == 0 ? request.peer : client_address(request.peer, request.headers.joined("x-forwarded-for"), hops);
  co_return co_await chain_(context);
}

net::Response Api::refuse(const Error& error) {
  const RequestId id = ids_.request_id();
  auto response = error_response(error, id);
  response.headers.set("x-request-id", id.value);
  metrics_.request("other", "unparsed", response.status, 0);
  return response;
}

}  // namespace infra::http
