// The limiter of a fleet: one exact window for all controllers, kept in Redis by one script in one round trip, on the
// server's own time. Each controller also keeps the window for itself, which holds whatever Redis says: with Redis gone
// it alone decides, and a Redis that comes back empty lets no client begin anew.
#pragma once

#include <string>

#include "adapters/memory/memory_rate_limiter.h"
#include "net/redis/redis_client.h"
#include "ports/rate_limiter.h"
#include "telemetry/metrics.h"

namespace infra {

class RedisRateLimiter final : public RateLimiter {
 public:
  // `metrics` count the requests that only this controller's window judged.
  RedisRateLimiter(net::RedisClient& redis, RatePolicy policy, const Clock& clock, Metrics& metrics);
  Task<RateDecision> admit(const std::string& key) override { return admit(key, policy_.limit); }
  Task<RateDecision> admit(const std::string& key, int limit) override;

 private:
  net::RedisClient& redis_;
  const RatePolicy policy_;
  Metrics& metrics_;
  MemoryRateLimiter local_;
};

}  // namespace infra
