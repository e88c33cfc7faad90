// Redis Cluster's map of keys: which of the 16384 slots a key falls into, and how servers say who has a slot.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/redis/redis_client.h"
#include "net/redis/redis_stream.h"

namespace infra::net {

inline constexpr std::size_t kRedisSlots = 16384;

// Of the key, or of its part between the first '{' and the next '}' if that is not empty.
[[nodiscard]] std::uint16_t redis_slot(std::string_view key);

struct RedisRedirection {
  bool ask = false;  // for this command only; else the slot has moved for good
  std::uint16_t slot = 0;
  RedisAddress to;
};
// Nullopt if the error is not one of MOVED and ASK. `from` is who said it: an answer may leave out the host.
[[nodiscard]] std::optional<RedisRedirection> parse_redirection(std::string_view error, const RedisAddress& from);

struct RedisSlotRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;  // included
  RedisAddress master;
};
// CLUSTER SLOTS' reply; empty if it is not one.
[[nodiscard]] std::vector<RedisSlotRange> parse_slot_ranges(const RedisReply& reply, const RedisAddress& from);

}  // namespace infra::net
