#include "http/middleware.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "core/client_address.h"
#include "core/error_codes.h"
#include "core/function_settings.h"
#include "core/text.h"
#include "http/error_response.h"
#include "net/http/content_encoding.h"
#include "telemetry/log.h"

namespace infra::http {
namespace {

constexpr std::size_t kMaxLoggedMethod = 32;  // bytes; one that is known has fewer

// What a page of another origin may send: with the headers that set a function's settings.
std::string allowed_headers() {
  std::string headers = "content-type, content-encoding, x-api-key, authorization, x-async, x-request-id, traceparent";
  for (const auto& field : setting_fields()) {
    if (!field.header.empty()) headers.append(", ").append(field.header);
  }
  return headers;
}

bool is_known_method(const Context& context) {
  const std::string& method = context.request.method;
  return method == "HEAD" || std::ranges::find(context.methods, method) != context.methods.end();
}

void note_failure(const Context& context, int status, EventRing& events) {
  const std::string& method = context.request.method;
  if (status < 400 || !context.admitted || context.told || method == "GET" || method == "HEAD") return;
  events.refused(fmt::format("{} {}", is_known_method(context) ? method : "other", context.pattern), status,
                 context.error_code, context.function, context.id);
}

// Who hears of an answered request beside the log.
struct Told {
  Spans* spans;
  WallTime at;
};

Span span_of(const TraceContext& trace, const SpanBytes& caller, const Told& told, std::chrono::nanoseconds took) {
  return {.trace = trace.trace,
          .id = trace.span,
          .parent = caller,
          .name = "http",
          .kind = Span::Kind::server,
          .end = told.at,
          .took = took};
}

// What is counted and logged of a request when it has been answered and its context is gone.
std::function<void()> account(Context& context, int status, std::chrono::nanoseconds duration, Metrics& metrics,
                              Told told) {
  struct Line {
    RequestId id;
    TraceContext trace;
    SpanBytes caller;
    std::string method, route, client, client_id, key;
    FunctionId function;
    std::string code;
    bool known_method = false;
  };
  auto line = std::make_shared<const Line>(
      Line{.id = context.id,
           .trace = context.trace,
           .caller = context.parent,
           .method = context.request.method.substr(0, kMaxLoggedMethod),
           .route = std::string(context.pattern),
           .client = std::move(context.client),
           .client_id = std::string(context.request.headers.find("x-request-id").value_or("").substr(0, 128)),
           .key = std::string(context.caller()),
           .function = std::move(context.function),
           .code = std::move(context.error_code),
           .known_method = is_known_method(context)});
  return [line = std::move(line), status, duration, &metrics, told] {
    const std::chrono::duration<double> took = duration;
    if (told.spans != nullptr && told.spans->wanted(line->trace)) {
      Span span = span_of(line->trace, line->caller, told, duration);
      span.failed = status >= 500;
      span.attributes = {{"http.request.method", line->method},
                         {"http.route", line->route},
                         {"http.response.status_code", std::int64_t{status}},
                         {"infra.request_id", line->id.value},
                         {"infra.function_id", line->function.value}};
      told.spans->add(std::move(span));
    }
    metrics.request(line->known_method ? line->method : "other", line->route, status, took.count());
    log::write(status >= 500 ? log::Level::error : log::Level::info, "request",
               {{"requestId", line->id.value},
                {"traceId", to_hex(line->trace.trace)},
                {"method", line->method},
                {"route", line->route},
                {"status", status},
                {"durationMs", took.count() * 1000},
                {"client", line->client},
                {"clientRequestId", line->client_id},
                {"key", line->key},
                {"functionId", line->function.value},
                {"code", line->code}});
  };
}

void tell_budget(net::Response& response, const RateDecision& decision, const RatePolicy& policy, WallTime now) {
  // A window is closed at both ends, so that the oldest admission leaves it a moment after its length.
  const auto after = std::min<milliseconds>(decision.reset_after, policy.window);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(after).count();
  const auto reset = std::chrono::ceil<std::chrono::seconds>(now + after).time_since_epoch().count();
  auto& headers = response.headers;
  headers.add("X-RateLimit-Limit", std::to_string(decision.limit));
  headers.add("X-RateLimit-Remaining", std::to_string(decision.remaining));
  headers.add("X-RateLimit-Reset", std::to_string(reset));
  headers.add("RateLimit-Policy", fmt::format(R"("default";q={};w={})", policy.limit, policy.window.count()));
  headers.add("RateLimit", fmt::format(R"("default";r={};t={})", decision.remaining, seconds));
}

Task<net::Response> guarded(Context& context, const Next& next) {
  std::string what;
  try {
    co_return co_await next(context);
  } catch (const std::exception& error) {
    what = error.what();
  }
  log::error("a handler threw", {{"requestId", context.id.value},
                                 {"traceId", to_hex(context.trace.trace)},
                                 {"route", context.pattern},
                                 {"what", what}});
  co_return refuse(context, {errors::internal, "Something broke inside Infra; its log has this request id."});
}

bool is_preflight(const net::Request& request) {
  return request.method == "OPTIONS" && request.headers.find("access-control-request-method").has_value();
}

Task<net::Response> run_link(std::shared_ptr<const std::pair<Middleware, Next>> link, Context& context) {
  co_return co_await link->first(context, link->second);
}

}  // namespace

net::Response refuse(Context& context, const Error& error) {
  context.error_code = error.code;
  return error_response(error, context.id);
}

Error too_many(const RateDecision& decision, std::string_view what) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(decision.reset_after);
  return {
      errors::rate_limited,
      fmt::format("Too many {}: at most {} in this window; try again in {} s.", what, decision.limit, seconds.count()),
      seconds};
}

Middleware trace(Metrics& metrics, EventRing& events, const Clock& clock, Spans* spans) {
  return [&metrics, &events, &clock, spans](Context& context, const Next& next) -> Task<net::Response> {
    const SteadyTime start = clock.steady_now();
    auto response = co_await guarded(context, next);
    response.headers.set("x-request-id", context.id.value);
    const SteadyTime end = clock.steady_now();
    if (!context.timing.empty()) {
      const std::chrono::duration<double, std::milli> total = end - context.request.arrived;
      response.headers.add("Server-Timing", fmt::format("total;dur={:.3f}, {}", total.count(), context.timing));
    }
    note_failure(context, response.status, events);
    response.afterwards = account(context, response.status, end - start, metrics, {.spans = spans, .at = clock.now()});
    co_return response;
  };
}

Middleware allow_origins(std::vector<std::string> origins) {
  return [origins = std::move(origins)](Context& context, const Next& next) -> Task<net::Response> {
    const auto origin = context.request.headers.find("origin");
    const bool any = std::ranges::find(origins, "*") != origins.end();
    if (!origin || (!any && std::ranges::find(origins, *origin) == origins.end())) co_return co_await next(context);

    const std::string allowed(*origin);
    net::Response response;
    if (is_preflight(context.request)) {
      response.status = 204;
      response.headers.add("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS");
      response.headers.add("Access-Control-Allow-Headers", allowed_headers());
      response.headers.add("Access-Control-Max-Age", "600");
    } else {
      response = co_await next(context);
      response.headers.add("Access-Control-Expose-Headers",
                           "x-request-id, link, retry-after, server-timing, x-ratelimit-limit, x-ratelimit-remaining, "
                           "x-ratelimit-reset");
      response.headers.add("Timing-Allow-Origin", allowed);
    }
    response.headers.set("Access-Control-Allow-Origin", allowed);
    response.headers.add("Vary", "Origin");
    co_return response;
  };
}

Middleware find_route(const Router& router) {
  return [&router](Context& context, const Next& next) -> Task<net::Response> {
    router.match(context);
    co_return co_await next(context);
  };
}

Middleware refuse_repeated_headers() {
  std::vector<std::string_view> once = {"x-api-key", "authorization", "content-type", "x-async"};
  for (const auto& field : setting_fields()) {
    if (!field.header.empty()) once.push_back(field.header);
  }
  return [once = std::move(once)](Context& context, const Next& next) -> Task<net::Response> {
    for (const auto name : once) {
      if (context.request.headers.count(name) < 2) continue;
      co_return refuse(context, {errors::repeated_header,
                                 fmt::format("The header {} is there more than once; send it once.", name)});
    }
    co_return co_await next(context);
  };
}

Middleware limit_rate(RateLimiter& limiter, RatePolicy policy, const Clock& clock, Metrics& metrics) {
  return [&limiter, policy, &clock, &metrics](Context& context, const Next& next) -> Task<net::Response> {
    const auto own = context.key ? context.key->rate_limit : std::nullopt;
    const RatePolicy counted{.limit = own.value_or(policy.limit), .window = policy.window};
    const bool limited = counted.limit > 0 && context.route != nullptr && context.route->rate == Rate::limited;
    if (!limited) co_return co_await next(context);

    const auto decision =
        own ? co_await limiter.admit("key:" + context.key->id, *own) : co_await limiter.admit(rate_key(context.client));
    net::Response response;
    if (decision.allowed) {
      response = co_await next(context);
    } else {
      metrics.count("rate_limit_refusals_total", "default");
      response = refuse(context, too_many(decision, "requests"));
    }
    tell_budget(response, decision, counted, clock.now());
    co_return response;
  };
}

Middleware decode_bodies() {
  return [](Context& context, const Next& next) -> Task<net::Response> {
    net::BodyStream* const sent = context.request.body;
    const auto decoded = net::decode_body(context.request.headers, *sent);
    if (decoded) context.request.body = decoded.get();
    auto response = co_await next(context);
    context.request.body = sent;
    co_return response;
  };
}

Next dispatch() {
  return [](Context& context) -> Task<net::Response> {
    if (context.route == nullptr && context.methods.empty()) {
      co_return refuse(context, {errors::unknown_route, "There is no such route; docs/http-api.md lists them."});
    }
    if (context.route == nullptr) {
      const std::string allowed = fmt::format("{}", fmt::join(context.methods, ", "));
      auto response =
          refuse(context, {errors::method_not_allowed, fmt::format("This route answers {} only.", allowed)});
      response.headers.add("Allow", allowed);
      co_return response;
    }
    auto answer = co_await context.route->handler(context);
    if (!answer) co_return refuse(context, answer.error());
    co_return std::move(*answer);
  };
}

Next chain(std::vector<Middleware> links, Next end) {
  for (auto link = links.rbegin(); link != links.rend(); ++link) {
    auto pair = std::make_shared<const std::pair<Middleware, Next>>(std::move(*link), std::move(end));
    end = [pair](Context& context) { return run_link(pair, context); };
  }
  return end;
}

}  // namespace infra::http
