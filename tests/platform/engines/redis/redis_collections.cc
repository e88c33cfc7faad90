// Commands on hashes, lists and sorted sets.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include "platform/engines/redis/redis_arguments.h"

namespace infra::testing {

using net::RedisCommand;
using net::RedisReply;

namespace {

RedisReply wrong_type() {
  return redis_reply::error(kWrongType);
}

RedisReply optional_text(const RedisHash* hash, const std::string& field) {
  if (hash == nullptr) return redis_reply::nil();
  const auto found = hash->find(field);
  return found == hash->end() ? redis_reply::nil() : redis_reply::text(found->second);
}

RedisReply hset(RedisKeyspace& keys, const RedisCommand& words) {
  if (words.size() % 2 != 0) return redis_reply::error("ERR wrong number of arguments for 'hset' command");
  const auto found = redis_change<RedisHash>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  std::int64_t fresh = 0;
  for (std::size_t i = 2; i < words.size(); i += 2) {
    fresh += found.data->insert_or_assign(words[i], words[i + 1]).second ? 1 : 0;
  }
  return redis_reply::integer(fresh);
}

RedisReply hget(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_find<RedisHash>(keys, words[1]);
  return found.wrong_type ? wrong_type() : optional_text(found.data, words[2]);
}

RedisReply hmget(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_find<RedisHash>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  RedisReply reply = redis_reply::array();
  for (std::size_t i = 2; i < words.size(); ++i) reply.elements.push_back(optional_text(found.data, words[i]));
  return reply;
}

RedisReply hgetall(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_find<RedisHash>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  RedisReply reply = redis_reply::array();
  if (found.data == nullptr) return reply;
  for (const auto& [field, text] : *found.data) {
    reply.elements.push_back(redis_reply::text(field));
    reply.elements.push_back(redis_reply::text(text));
  }
  return reply;
}

RedisReply hdel(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_find<RedisHash>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  if (found.data == nullptr) return redis_reply::integer(0);
  keys.remember(words[1]);
  std::int64_t gone = 0;
  for (std::size_t i = 2; i < words.size(); ++i) gone += static_cast<std::int64_t>(found.data->erase(words[i]));
  if (found.data->empty()) keys.erase(words[1]);
  return redis_reply::integer(gone);
}

RedisReply hexists(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_find<RedisHash>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  return redis_reply::integer(found.data != nullptr && found.data->contains(words[2]) ? 1 : 0);
}

RedisReply hlen(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_find<RedisHash>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  return redis_reply::integer(found.data == nullptr ? 0 : std::ssize(*found.data));
}

RedisReply hincrby(RedisKeyspace& keys, const RedisCommand& words) {
  const auto by = redis_integer(words[3]);
  if (!by) return redis_reply::error(kNotAnInteger);
  const auto old = redis_find<RedisHash>(keys, words[1]);
  if (old.wrong_type) return wrong_type();
  const RedisReply text = optional_text(old.data, words[2]);
  const auto before = text.is_nil() ? std::optional<std::int64_t>(0) : redis_integer(text.text);
  if (!before) return redis_reply::error("ERR hash value is not an integer");
  std::int64_t sum = 0;
  if (__builtin_add_overflow(*before, *by, &sum)) {
    return redis_reply::error("ERR increment or decrement would overflow");
  }
  const auto found = redis_change<RedisHash>(keys, words[1]);
  (*found.data)[words[2]] = std::to_string(sum);
  return redis_reply::integer(sum);
}

RedisReply rpush(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_change<RedisList>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  for (std::size_t i = 2; i < words.size(); ++i) found.data->push_back(words[i]);
  return redis_reply::integer(std::ssize(*found.data));
}

RedisReply lpop(RedisKeyspace& keys, const RedisCommand& words) {
  if (words.size() != 2) not_simulated("LPOP with a count");
  const auto found = redis_find<RedisList>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  if (found.data == nullptr) return redis_reply::nil();
  keys.remember(words[1]);
  RedisReply reply = redis_reply::text(std::move(found.data->front()));
  found.data->pop_front();
  if (found.data->empty()) keys.erase(words[1]);
  return reply;
}

RedisReply llen(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_find<RedisList>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  return redis_reply::integer(found.data == nullptr ? 0 : std::ssize(*found.data));
}

RedisReply lindex(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_find<RedisList>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  if (found.data == nullptr) return redis_reply::nil();
  auto index = redis_integer(words[2]);
  if (!index) return redis_reply::error(kNotAnInteger);
  if (*index < 0) *index += std::ssize(*found.data);
  if (*index < 0 || *index >= std::ssize(*found.data)) return redis_reply::nil();
  return redis_reply::text((*found.data)[static_cast<std::size_t>(*index)]);
}

std::optional<double> score_of(const std::string& text) {
  if (text.empty() || std::isspace(static_cast<unsigned char>(text.front())) != 0) return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size() || std::isnan(number)) return std::nullopt;
  return number;
}

RedisReply zadd(RedisKeyspace& keys, const RedisCommand& words) {
  if (words.size() % 2 != 0) not_simulated("ZADD with options");
  for (std::size_t i = 2; i < words.size(); i += 2) {
    if (!score_of(words[i])) return redis_reply::error("ERR value is not a valid float");
  }
  const auto found = redis_change<RedisSortedSet>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  std::int64_t fresh = 0;
  for (std::size_t i = 2; i < words.size(); i += 2) {
    const double score = *score_of(words[i]);
    const auto [place, is_fresh] = found.data->scores.try_emplace(words[i + 1], score);
    if (!is_fresh) found.data->order.erase({std::exchange(place->second, score), words[i + 1]});
    found.data->order.insert({score, words[i + 1]});
    fresh += is_fresh ? 1 : 0;
  }
  return redis_reply::integer(fresh);
}

RedisReply zrem(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_find<RedisSortedSet>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  if (found.data == nullptr) return redis_reply::integer(0);
  keys.remember(words[1]);
  std::int64_t gone = 0;
  for (std::size_t i = 2; i < words.size(); ++i) {
    const auto member = found.data->scores.find(words[i]);
    if (member == found.data->scores.end()) continue;
    found.data->order.erase({member->second, member->first});
    found.data->scores.erase(member);
    ++gone;
  }
  if (found.data->scores.empty()) keys.erase(words[1]);
  return redis_reply::integer(gone);
}

RedisReply zscore(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_find<RedisSortedSet>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  if (found.data == nullptr) return redis_reply::nil();
  const auto member = found.data->scores.find(words[2]);
  if (member == found.data->scores.end()) return redis_reply::nil();
  return redis_reply::text(redis_number_text(member->second));
}

RedisReply zcard(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_find<RedisSortedSet>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  return redis_reply::integer(found.data == nullptr ? 0 : std::ssize(found.data->scores));
}

RedisReply zremrangebyscore(RedisKeyspace& keys, const RedisCommand& words) {
  const auto bound = [](std::string text) -> std::optional<std::pair<double, bool>> {
    const bool beyond = text.starts_with('(');
    const auto score = score_of(beyond ? text.substr(1) : text);
    if (!score) return std::nullopt;
    return std::pair{*score, beyond};
  };
  const auto least = bound(words[2]);
  const auto most = bound(words[3]);
  if (!least || !most) return redis_reply::error("ERR min or max is not a float");
  const auto found = redis_find<RedisSortedSet>(keys, words[1]);
  if (found.wrong_type) return wrong_type();
  if (found.data == nullptr) return redis_reply::integer(0);
  keys.remember(words[1]);
  std::int64_t gone = 0;
  auto& order = found.data->order;
  for (auto each = order.lower_bound({least->first, std::string()}); each != order.end();) {
    const double score = each->first;
    if (score > most->first || (most->second && score == most->first)) break;
    if (least->second && score == least->first) {
      ++each;
      continue;
    }
    found.data->scores.erase(each->second);
    each = order.erase(each);
    ++gone;
  }
  if (order.empty()) keys.erase(words[1]);
  return redis_reply::integer(gone);
}

constexpr std::array<RedisCommandRow, 17> kRows{{{"HSET", 4, hset},
                                                 {"HGET", 3, hget},
                                                 {"HMGET", 3, hmget},
                                                 {"HGETALL", 2, hgetall},
                                                 {"HDEL", 3, hdel},
                                                 {"HEXISTS", 3, hexists},
                                                 {"HLEN", 2, hlen},
                                                 {"HINCRBY", 4, hincrby},
                                                 {"RPUSH", 3, rpush},
                                                 {"LPOP", 2, lpop},
                                                 {"LLEN", 2, llen},
                                                 {"LINDEX", 3, lindex},
                                                 {"ZADD", 4, zadd},
                                                 {"ZREM", 3, zrem},
                                                 {"ZSCORE", 3, zscore},
                                                 {"ZCARD", 2, zcard},
                                                 {"ZREMRANGEBYSCORE", 4, zremrangebyscore}}};

}  // namespace

const RedisCommandRow* find_collection_command(std::string_view name) {
  const auto found = std::ranges::find(kRows, name, &RedisCommandRow::name);
  return found == kRows.end() ? nullptr : &*found;
}

}  // namespace infra::testing
