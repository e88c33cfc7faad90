#include "adapters/redis/redis_probe.h"

#include "core/error_codes.h"

namespace infra {

Task<Result<void>> RedisProbe::probe() {
  const auto pong = co_await redis_.command({"PING"}, "");
  if (!pong) co_return fail(pong.error());
  if (subscribed_ && !subscribed_()) {
    co_return fail(errors::redis_unavailable, "The subscription to Redis is not up.");
  }
  co_return Result<void>{};
}

}  // namespace infra
