// What becomes of the answers that are none: the errors that RedisClient promises, whoever talks to Redis.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"
#include "net/redis/redis_client.h"

namespace infra::net {

// Kind unavailable, code redis_unavailable, retry_after 1 s.
[[nodiscard]] Error redis_unavailable(std::string message);

// The first word of an error reply; empty of any other.
[[nodiscard]] std::string_view kind_of(const RedisReply& reply);

// An error reply becomes an Error: `unavailable` where the server can't serve now, else redis_refused.
[[nodiscard]] Result<RedisReply> judge(Result<RedisReply> reply);

}  // namespace infra::net
