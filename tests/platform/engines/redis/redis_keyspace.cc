#include "platform/engines/redis/redis_keyspace.h"

namespace infra::testing {

void RedisKeyspace::set_time(std::int64_t wall_micros, SteadyTime steady) {
  wall_micros_ = wall_micros;
  steady_ = steady;
}

RedisValue* RedisKeyspace::find(const std::string& key) {
  const auto found = values_.find(key);
  if (found == values_.end()) return nullptr;
  if (found->second.expires_at && now_ms() > *found->second.expires_at) {
    values_.erase(found);
    return nullptr;
  }
  return &found->second;
}

void RedisKeyspace::remember(const std::string& key) {
  if (history_.count() == 0) return;
  while (!changes_.empty() && changes_.front().at < steady_ - history_) changes_.pop_front();
  const auto found = values_.find(key);
  changes_.push_back({.at = steady_,
                      .key = key,
                      .before = found == values_.end() ? std::nullopt : std::optional<RedisValue>(found->second)});
}

RedisValue& RedisKeyspace::put(const std::string& key, RedisValue value) {
  return values_.insert_or_assign(key, std::move(value)).first->second;
}

bool RedisKeyspace::erase(const std::string& key) {
  return values_.erase(key) > 0;
}

void RedisKeyspace::clear() {
  values_.clear();
  changes_.clear();
}

void RedisKeyspace::go_back(SteadyTime then) {
  while (!changes_.empty() && changes_.back().at > then) {
    Change& change = changes_.back();
    if (change.before) {
      values_.insert_or_assign(change.key, std::move(*change.before));
    } else {
      values_.erase(change.key);
    }
    changes_.pop_back();
  }
}

}  // namespace infra::testing
