// Controllers' announcements of changed functions to each other, so that none of them runs an old version.
#pragma once

#include <string_view>

#include "core/ids.h"
#include "net/redis/redis_client.h"

namespace infra {

class RedisAnnouncements {
 public:
  static constexpr std::string_view kChannel = "infra:functions";  // the payload is the function's id

  explicit RedisAnnouncements(net::RedisClient& redis) : redis_(redis) {}
  // Best effort: a controller that misses it finds the change by itself within 2 s. Any event thread.
  Task<void> announce(FunctionId changed);

 private:
  net::RedisClient& redis_;
};

}  // namespace infra
