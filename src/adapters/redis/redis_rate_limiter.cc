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

RedisRateLimiter::RedisRateLimiter(net::RedisClient& redis, RatePolicy policy, const Clock& clock,
                                   std::function<void()> on_local)
    : redis_(redis), policy_(policy), on_local_(std::move(on_local)), local_(policy, clock) {}

// What Redis lets through is counted here too, so that this controller's own window is full when it has to judge alone;
// what Redis refuses leaves no trace in either.
Task<RateDecision> RedisRateLimiter::admit(const std::string& key) {
  if (policy_.limit <= 0) co_return RateDecision{};
  const std::string redis_key = "infra:rl:" + key;
  const auto window = std::chrono::duration_cast<std::chrono::microseconds>(policy_.window);
  const auto reply = co_await redis_.eval(script(), redis_key,
                                          {std::to_string(policy_.limit), std::to_string(window.count())}, kPatience);
  if (!reply || reply->elements.size() != 3) {
    if (on_local_) on_local_();
    co_return co_await local_.admit(key);
  }
  const bool allowed = reply->elements[0].integer == 1;
  if (allowed) co_await local_.admit(key);
  const auto count = static_cast<int>(reply->elements[1].integer);
  const std::chrono::microseconds until_oldest_leaves{reply->elements[2].integer};
  co_return RateDecision{.allowed = allowed,
                         .limit = policy_.limit,
                         .remaining = std::max(policy_.limit - count, 0),
                         .reset_after = std::chrono::ceil<milliseconds>(until_oldest_leaves) + milliseconds{1}};
}

}  // namespace infra
