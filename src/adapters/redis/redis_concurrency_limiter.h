// The limiter of runs at once for a fleet: two sorted sets a function, of the request ids that are outstanding and of
// those that run, by the time on the server's clock at which they are forgotten.
#pragma once

#include <string>

#include "net/redis/redis_client.h"
#include "ports/concurrency_limiter.h"

namespace infra {

// Where Redis has lost its memory, runs that go on are counted again by their next renewal; until then more may begin.
class RedisConcurrencyLimiter final : public ConcurrencyLimiter {
 public:
  explicit RedisConcurrencyLimiter(net::RedisClient& redis) : redis_(redis) {}

  Task<Result<bool>> admit(const LimitedRun& run, int most) override;
  Task<Result<bool>> enter(const LimitedRun& run, int most) override;
  Task<Result<void>> renew(const LimitedRun& run, bool running) override;
  Task<Result<void>> leave(const LimitedRun& run) override;
  Task<Result<void>> withdraw(const LimitedRun& run) override;
  Task<Result<void>> finish(const LimitedRun& run) override;

 private:
  struct Count;
  Task<Result<bool>> count(Count count);
  Task<Result<void>> forget(std::string key, RequestId request);

  net::RedisClient& redis_;
};

}  // namespace infra
