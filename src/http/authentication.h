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

using Pause = std::function<Task<void>()>;

struct Keyring {
  const std::string& master;
  app::KnownKeys* named = nullptr;  // null: there is the master key alone
  app::Audit* audit = nullptr;      // of what named keys were refused; null: there is none
};

// 401 unless the route is open or the key is right: the master's, or a named one that is valid. Failed keys have a rate
// of their own, and wait for `after_wrong` before they are answered, if there is one. 403 (code key_not_allowed) for a
// named key without the route's scope, or with a list of functions where the route reaches beyond it.
[[nodiscard]] Middleware authenticate(const Keyring& keys, RateLimiter& limiter, const Clock& clock, Metrics& metrics,
                                      Pause after_wrong);

}  // namespace infra::http
