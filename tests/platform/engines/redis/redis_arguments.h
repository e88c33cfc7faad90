// What the commands of the simulated Redis read out of their words, and say of values: shared by the files of commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "net/redis/redis_client.h"
#include "platform/engines/redis/redis_commands.h"
#include "platform/engines/redis/redis_keyspace.h"

namespace infra::testing {

// Redis' strict form: no leading zero, space or plus.
[[nodiscard]] std::optional<std::int64_t> redis_integer(std::string_view text);
// As Redis writes a score: a whole one without a fraction, others by 17 digits.
[[nodiscard]] std::string redis_number_text(double number);

inline constexpr const char* kNotAnInteger = "ERR value is not an integer or out of range";
inline constexpr const char* kWrongType = "WRONGTYPE Operation against a key holding the wrong kind of value";

// A key's value as one of a type: there, absent, or of another type.
template <typename T>
struct RedisFound {
  RedisValue* value = nullptr;
  T* data = nullptr;
  bool wrong_type = false;
};

template <typename T>
[[nodiscard]] RedisFound<T> redis_find(RedisKeyspace& keys, const std::string& key) {
  RedisValue* const value = keys.find(key);
  if (value == nullptr) return {};
  T* const data = std::get_if<T>(&value->data);
  return {.value = value, .data = data, .wrong_type = data == nullptr};
}

// The same for a write: remembered, and made if it is absent.
template <typename T>
[[nodiscard]] RedisFound<T> redis_change(RedisKeyspace& keys, const std::string& key) {
  auto found = redis_find<T>(keys, key);
  if (found.wrong_type) return found;
  keys.remember(key);
  if (found.data == nullptr) {
    found.value = &keys.put(key, RedisValue{.data = T{}, .expires_at = {}});
    found.data = std::get_if<T>(&found.value->data);
  }
  return found;
}

using RedisHandler = net::RedisReply (*)(RedisKeyspace& keys, const net::RedisCommand& command);
struct RedisCommandRow {
  std::string_view name;
  std::size_t least;  // words, the name included
  RedisHandler run;
};
[[nodiscard]] const RedisCommandRow* find_collection_command(std::string_view name);

}  // namespace infra::testing
