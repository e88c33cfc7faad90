#include "http/api.h"

#include "core/client_address.h"
#include "core/error_codes.h"
#include "core/function_name.h"
#include "http/authentication.h"
#include "http/error_response.h"
#include "http/openapi_handler.h"

namespace infra::http {
namespace {

template <typename Handler>
RouteHandler bind(Handler& handler, Task<Result<net::Response>> (Handler::*method)(Context&)) {
  return [&handler, method](Context& context) { return (handler.*method)(context); };
}

constexpr std::string_view kOfAFunction = "/functions/:id";

// The function that the path speaks of, by its id from here on. A key that is for certain functions hears the same of
// every other, whether or not there is one.
Task<Result<void>> find_function(app::FunctionNames& names, Context& context) {
  const FunctionList* const own = context.own_functions();
  for (auto& [param, value] : context.params) {
    if (param != "id") continue;
    if (const auto name = name_referred_to(value)) {
      const auto function = co_await names.find(std::string(*name));
      if (!function && own != nullptr && function.error().kind == ErrorKind::not_found) {
        context.audit.target = value;
        co_return fail(function_not_allowed());
      }
      if (!function) co_return fail(function.error());
      value = function->id.value;
    }
    if (!is_among(own, {value})) {
      context.audit.target = value;
      co_return fail(function_not_allowed());
    }
  }
  co_return Result<void>{};
}

Task<Result<net::Response>> answer_of_function(app::FunctionNames& names, const RouteHandler& handler,
                                               Context& context) {
  if (auto found = co_await find_function(names, context); !found) co_return fail(found.error());
  co_return co_await handler(context);
}

RouteHandler of_a_function(app::FunctionNames& names, RouteHandler handler) {
  return [&names, handler = std::move(handler)](Context& context) -> Task<Result<net::Response>> {
    const bool as_it_is = !name_referred_to(context.param("id")) && context.own_functions() == nullptr;
    return as_it_is ? handler(context) : answer_of_function(names, handler, context);
  };
}

Task<Result<net::Response>> answer_audited(app::Audit& audit, const RouteHandler& handler, Context& context) {
  app::AuditEntry entry{
      .key = std::string(context.caller()), .action = std::string(context.route->audited), .request = context.id.value};
  if (auto begun = co_await audit.begin(entry); !begun) co_return fail(begun.error());
  auto answer = co_await handler(context);
  entry.target = context.audit_target();
  entry.before = std::move(context.audit.before);
  entry.after = std::move(context.audit.after);
  entry.outcome = answer ? "done" : answer.error().code;
  const bool refused = !answer && answer.error().code == errors::key_not_allowed;
  co_await (refused ? audit.withdraw(std::move(entry)) : audit.end(std::move(entry)));
  co_return answer;
}

RouteHandler audited(app::Audit& audit, RouteHandler handler) {
  return [&audit, handler = std::move(handler)](Context& context) -> Task<Result<net::Response>> {
    return audit.possible() ? answer_audited(audit, handler, context) : handler(context);
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

// Every route exists as /x and as /api/x. What is not said to be open needs the key, a named one with the scope at the
// row's end; what is limited counts on the client's rate. Of the platform's other functions a key that is for certain
// ones learns nothing: its requests end before the handler, or the handler looks at the key (`own`). A change is
// audited under the name at the row's end.
std::vector<Route> controller_routes(Handlers h, bool metrics_public) {
  const auto key = Access::key;
  const auto open = Access::open;
  const auto health = Access::health;  // load balancers ask for it without headers
  const auto metrics = metrics_public ? open : key;
  const auto free = Rate::free;
  const auto limited = Rate::limited;
  const auto any = Scope::any;
  const auto invoke = Scope::invoke;
  const auto read = Scope::read;
  const auto deploy = Scope::deploy;
  const auto admin = Scope::admin;
  const auto all = Reach::platform;
  const auto one = Reach::function;
  const auto own = Reach::caller;
  using F = FunctionsHandler;
  using R = RunsHandler;
  using L = LogsHandler;
  using A = AdviceHandler;
  using E = EventsHandler;
  using S = SystemHandler;
  using P = MonitoringHandler;
  using K = KeysHandler;
  std::vector<Route> routes = {
      {"POST", "/run", key, limited, bind(h.runs, &R::run), invoke, own},
      {"GET", "/status/:jobId", key, free, bind(h.runs, &R::status), invoke, own},
      {"POST", "/upload", key, limited, bind(h.functions, &F::upload), deploy, own, "function.upload"},
      {"GET", "/functions", key, free, bind(h.functions, &F::list), read, own},
      {"GET", "/functions/:id", key, free, bind(h.functions, &F::get), read, one},
      {"PUT", "/functions/:id", key, limited, bind(h.functions, &F::update), deploy, one, "function.update"},
      {"DELETE", "/functions/:id", key, limited, bind(h.functions, &F::remove), deploy, one, "function.delete"},
      {"GET", "/functions/:id/logs", key, free, bind(h.logs, &L::list), read, one},
      {"GET", "/functions/:id/logs/:requestId", key, free, bind(h.logs, &L::get), read, one},
      {"GET", "/functions/:id/logs/:requestId/files/*name", key, free, bind(h.logs, &L::file), invoke, one},
      {"GET", "/functions/:id/advice", key, free, bind(h.advice, &A::get), read, one},
      {"PUT", "/functions/:id/advice", key, limited, bind(h.advice, &A::apply), deploy, one, "function.advice"},
      {"GET", "/functions/:id/series", key, free, bind(h.series, &SeriesHandler::get), read, one},
      {"GET", "/", open, free, front(h.dashboard, h.status)},
      {"GET", "/assets/:name", open, free, bind(h.dashboard, &DashboardHandler::asset)},
      {"GET", "/health", health, free, bind(h.status, &P::health)},
      {"GET", "/metrics", metrics, free, bind(h.status, &P::metrics), read, all},
      {"GET", "/logs", key, free, bind(h.status, &P::logs), read, own},
      {"GET", "/events", key, free, bind(h.events, &E::listen), read, own},
      {"GET", "/openapi.json", open, free, describe_api},
      {"POST", "/worker/heartbeat", key, free, bind(h.system, &S::heartbeat), admin, all},
      {"GET", "/workers", key, free, bind(h.system, &S::workers), read, all},
      {"GET", "/worker/status", key, free, bind(h.system, &S::workers), read, all},
      {"GET", "/system/status", key, free, bind(h.system, &S::system_status), read, all},
      {"GET", "/models", key, free, bind(h.system, &S::models), read, own},
      {"GET", "/whoami", key, free, bind(h.keys, &K::whoami), any, own},
      {"GET", "/keys", key, free, bind(h.keys, &K::list), admin, all},
      {"POST", "/keys", key, limited, bind(h.keys, &K::make), admin, all, "key.create"},
      {"POST", "/keys/:id/rotate", key, limited, bind(h.keys, &K::rotate), admin, all, "key.rotate"},
      {"DELETE", "/keys/:id/secrets/old", key, limited, bind(h.keys, &K::drop_old), admin, all, "key.drop_old"},
      {"DELETE", "/keys/:id", key, limited, bind(h.keys, &K::revoke), admin, all, "key.revoke"},
      {"GET", "/audit", key, free, bind(h.keys, &K::audit), admin, all},
  };
  for (auto& route : routes) {
    if (!route.audited.empty()) route.handler = audited(h.audit, std::move(route.handler));
    // Where a function's id stands its name may stand; POST /run has it in its body.
    if (!route.pattern.starts_with(kOfAFunction)) continue;
    route.reach = Reach::function;
    route.handler = of_a_function(h.names, std::move(route.handler));
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
              trace(metrics, events, clock, settings_.spans),  // outermost: whatever happens is logged and has an id
              find_route(router_),                             // whether a key is needed stands in the route table
              allow_origins(settings_.cors_origins),           // browsers send preflights without a key
              refuse_repeated_headers(),                       // before one of two keys is believed
              authenticate({.master = settings_.api_key, .named = settings_.keys, .audit = settings_.audit}, limiter,
                           clock, metrics,
                           settings_.after_wrong_key),  // before anything of the body is read
              limit_rate(limiter, settings_.rate, clock,
                         metrics),  // authenticated requests only, still before the body
              decode_bodies(),      // nothing is read before a handler reads
          },
          dispatch())) {}

Task<net::Response> Api::handle(net::Request& request) {
  // More than one is none (W3C Trace Context, 3.3.1).
  std::optional<TraceContext> caller;
  if (request.headers.count("traceparent") == 1) caller = parse_traceparent(*request.headers.find("traceparent"));
  Context context{.request = request,
                  .id = ids_.request_id(),
                  .trace = ids_.span_below(caller, settings_.spans != nullptr && settings_.spans->exported())};
  if (caller) context.parent = caller->span;
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
