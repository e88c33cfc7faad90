// The steps of every request on its way to a handler, one function a concern. Their order stands in api.cc.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/task.h"
#include "http/route.h"
#include "ports/clock.h"
#include "ports/rate_limiter.h"
#include "telemetry/event_ring.h"
#include "telemetry/metrics.h"
#include "telemetry/spans.h"

namespace infra::http {

// The next link of the chain. Middleware runs it, or answers itself.
using Next = std::function<Task<net::Response>(Context&)>;
using Middleware = std::function<Task<net::Response>(Context&, const Next&)>;

// Gives the answer its x-request-id, a log line and its place in the metrics; an exception becomes a 500. A failed
// request is an event, unless it only read, or came without the key: clients that poll, or knock, would push out all
// others.
[[nodiscard]] Middleware trace(Metrics& metrics, EventRing& events, const Clock& clock, Spans* spans);

// Answers preflights and marks answers for the origins that are named ("*" for any); with none named it does nothing.
[[nodiscard]] Middleware allow_origins(std::vector<std::string> origins);

[[nodiscard]] Middleware find_route(const Router& router);

// 400 where a header that decides something is there twice: whoever stands in front may have looked at the other one.
// Those that come as lists are joined where they are read.
[[nodiscard]] Middleware refuse_repeated_headers();

// 429 past the rate, which is the address's, or the key's own; for the routes that are limited. Tells the client its
// budget.
[[nodiscard]] Middleware limit_rate(RateLimiter& limiter, RatePolicy policy, const Clock& clock, Metrics& metrics);

// Lets handlers read a compressed body as what it holds (net/content_encoding.h).
[[nodiscard]] Middleware decode_bodies();

// The end of the chain: the route's handler, or 404, or 405.
[[nodiscard]] Next dispatch();

// The answer to an error, which the log line then has.
[[nodiscard]] net::Response refuse(Context& context, const Error& error);
[[nodiscard]] Error too_many(const RateDecision& decision, std::string_view what);

// `links` around `end`, the first one outermost.
[[nodiscard]] Next chain(std::vector<Middleware> links, Next end);

}  // namespace infra::http
