#include "adapters/redis/redis_concurrency_limiter.h"

#include <utility>

#include "core/limits.h"

namespace infra {
namespace {

// A frozen Redis costs a request this much, and only until the client has noticed.
constexpr milliseconds kPatience{250};
constexpr int kAnyNumber = -1;

std::string outstanding_key(const FunctionId& function) {
  return "infra:outstanding:" + function.value;
}
std::string running_key(const FunctionId& function) {
  return "infra:running:" + function.value;
}

// ARGV: request id, how many there may be (or -1), ms that it counts. Gives 1 if it counts. What would count for more
// than twice that was counted before the server's clock went back, and is forgotten: who runs counts again when it is
// renewed. A small step back, by which the clock is corrected, forgets nobody.
const net::RedisScript& script() {
  static const net::RedisScript kScript(R"(
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local most = tonumber(ARGV[2])
local time_left = tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + 2 * time_left), '+inf')
if most >= 0 and not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= most then return 0 end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + time_left), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
)");
  return kScript;
}

}  // namespace

struct RedisConcurrencyLimiter::Count {
  std::string key;
  RequestId request;
  int most = kAnyNumber;
  milliseconds time;
  milliseconds patience{};
};

Task<Result<bool>> RedisConcurrencyLimiter::admit(const LimitedRun& run, int most) {
  return count({.key = outstanding_key(run.function),
                .request = run.request,
                .most = most,
                .time = kOutstandingFor,
                .patience = kPatience});
}

Task<Result<bool>> RedisConcurrencyLimiter::enter(const LimitedRun& run, int most) {
  return count({.key = running_key(run.function), .request = run.request, .most = most, .time = limits::kVisibility});
}

Task<Result<void>> RedisConcurrencyLimiter::renew(const LimitedRun& run, bool running) {
  auto counted =
      co_await count({.key = outstanding_key(run.function), .request = run.request, .time = kOutstandingFor});
  if (counted && running) {
    counted = co_await count({.key = running_key(run.function), .request = run.request, .time = limits::kVisibility});
  }
  if (!counted) co_return fail(counted.error());
  co_return Result<void>{};
}

Task<Result<void>> RedisConcurrencyLimiter::leave(const LimitedRun& run) {
  return forget(running_key(run.function), run.request);
}

Task<Result<void>> RedisConcurrencyLimiter::withdraw(const LimitedRun& run) {
  return forget(outstanding_key(run.function), run.request);
}

Task<Result<void>> RedisConcurrencyLimiter::finish(const LimitedRun& run) {
  auto left = co_await forget(running_key(run.function), run.request);
  if (left) left = co_await forget(outstanding_key(run.function), run.request);
  co_return left;
}

Task<Result<bool>> RedisConcurrencyLimiter::count(Count count) {
  const auto reply = co_await redis_.eval(
      script(), count.key, {count.request.value, std::to_string(count.most), std::to_string(count.time.count())},
      count.patience);
  if (!reply) co_return fail(reply.error());
  co_return reply->integer == 1;
}

Task<Result<void>> RedisConcurrencyLimiter::forget(std::string key, RequestId request) {
  const auto removed = co_await redis_.command({"ZREM", key, request.value}, key);
  if (!removed) co_return fail(removed.error());
  co_return Result<void>{};
}

}  // namespace infra
