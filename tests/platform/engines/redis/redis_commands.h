// The commands that the adapters send to Redis, on values in memory, with the replies of Redis 7.0 to the letter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/redis/redis_client.h"
#include "platform/engines/redis/redis_keyspace.h"

namespace infra::testing {

namespace redis_reply {
[[nodiscard]] net::RedisReply nil();
[[nodiscard]] net::RedisReply status(std::string text);
[[nodiscard]] net::RedisReply error(std::string text);
[[nodiscard]] net::RedisReply integer(std::int64_t number);
[[nodiscard]] net::RedisReply text(std::string text);
[[nodiscard]] net::RedisReply array();
}  // namespace redis_reply

// Ends the program: whoever asks for what is not simulated must not take silence for an answer.
[[noreturn]] void not_simulated(std::string_view what);

// At the keyspace's time. What touches no value (PUBLISH, EVAL …) is the server's own. An unknown command, option or
// count of arguments is not_simulated().
[[nodiscard]] net::RedisReply run_redis_command(RedisKeyspace& keys, const net::RedisCommand& command);

}  // namespace infra::testing
