#include "adapters/redis/redis_announcements.h"

#include "telemetry/log.h"

namespace infra {

Task<void> RedisAnnouncements::announce(FunctionId changed) {
  const auto told = co_await redis_.command({"PUBLISH", std::string(kChannel), changed.value}, "");
  if (!told) log::warn("a change of a function could not be announced", {{"functionId", changed.value}});
}

}  // namespace infra
