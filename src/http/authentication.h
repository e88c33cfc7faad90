// Who a request is from, and whether its key may do what it asks for: before anything of the body is read.
#pragma once

#include <string>

#include "app/audit.h"
#include "app/known_keys.h"
#include "http/middleware.h"
#include "ports/clock.h"
#include "ports/rate_limiter.h"
#include "telemetry/metrics.h"

namespace infra::http {

// 401 unless the route is open or the key is right: the master's, or a named one's that is valid. Failed keys have a
// rate of their own, and wait for `after_wrong` before they are answered, if there is one. `keys` may be null: there is
// the master key alone.
using Pause = std::function<Task<void>()>;
[[nodiscard]] Middleware authenticate(const std::string& master, app::KnownKeys* keys, RateLimiter& limiter,
                                      const Clock& clock, Metrics& metrics, Pause after_wrong);

// 403 (code key_not_allowed) for a named key without the route's scope, or with a list of functions where the route
// reaches beyond it; and whatever a handler refuses so is audited, if there is an audit.
[[nodiscard]] Middleware authorize(app::Audit* audit);

}  // namespace infra::http
