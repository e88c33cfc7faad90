#include "adapters/redis/redis_rate_limiter.h"

#include <algorithm>

namespace infra {
namespace {

// A frozen Redis costs a request this much, and only until the client has noticed.
constexpr milliseconds kPatience{250};

// The stamps of what was let through, in microseconds of the server's clock, oldest first. A stamp counts for the whole
// window, its last instant included (core/sliding_window.cc). Stamps never go back, whatever the server's clock does.
// Gives {let through, how many are in the window, microseconds until the oldest leaves it}.
const net::RedisScript& script() {
  static const net::RedisScript kScript(R"(
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local newest = redis.call('LINDEX', KEYS[1], -1)
if newest and tonumber(newest) > now then now = tonumber(newest) end
local oldest = redis.call('LINDEX', KEYS[1], 0)
while oldest and now - tonumber(oldest) > window do
  redis.call('LPOP', KEYS[1])
  oldest = redis.call('LINDEX', KEYS[1], 0)
end
local count = redis.call('LLEN', KEYS[1])
local allowed = 0
if count < limit then
  allowed = 1
  count = count + 1
  redis.call('RPUSH', KEYS[1], string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000) + 1000)
end
return {allowed, count, (oldest and tonumber(oldest) or now) + window - now}
)");
  return kScript;
}

}  // namespace

RedisRateLimiter::RedisRateLimiter(net::RedisClient& redis, RatePolicy policy, const Clock& clock, Metrics& metrics)
    : redis_(redis), policy_(policy), metrics_(metrics), local_(policy, clock) {}

// The own window first: what it refuses costs no round trip, and what it has let through while Redis was away, or
// before Redis lost its memory, still counts. What Redis refuses is taken back, so that it leaves no trace in either.
Task<RateDecision> RedisRateLimiter::admit(const std::string& key, int limit) {
  if (limit <= 0) co_return RateDecision{};
  const auto own = local_.count(key, limit);
  if (!own.decision.allowed) {
    if (!redis_.connected()) metrics_.count("rate_limiter_local_total");
    co_return own.decision;
  }
  const std::string redis_key = "infra:rl:" + key;
  const auto window = std::chrono::duration_cast<std::chrono::microseconds>(policy_.window);
  const auto reply =
      co_await redis_.eval(script(), redis_key, {std::to_string(limit), std::to_string(window.count())}, kPatience);
  if (!reply || reply->elements.size() != 3) {
    metrics_.count("rate_limiter_local_total");
    co_return own.decision;
  }
  const auto count = static_cast<int>(reply->elements[1].integer);
  const std::chrono::microseconds until_oldest_leaves{reply->elements[2].integer};
  const RateDecision shared{.allowed = reply->elements[0].integer == 1,
                            .limit = limit,
                            .remaining = std::max(limit - count, 0),
                            .reset_after = std::chrono::ceil<milliseconds>(until_oldest_leaves) + milliseconds{1}};
  if (!shared.allowed) local_.take_back(key, own);
  if (shared.allowed && own.decision.remaining < shared.remaining) co_return own.decision;
  co_return shared;
}

}  // namespace infra
