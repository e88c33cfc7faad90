// What the simulated Redis holds: values under keys, each with a time when it goes, and the way back to how they were.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "core/time.h"

namespace infra::testing {

using RedisHash = std::map<std::string, std::string>;
using RedisList = std::deque<std::string>;
struct RedisSortedSet {
  std::map<std::string, double> scores;
  std::set<std::pair<double, std::string>> order;
};

struct RedisValue {
  std::variant<std::string, RedisHash, RedisList, RedisSortedSet> data;
  std::optional<std::int64_t> expires_at;  // ms of the server's wall clock, itself included
};

class RedisKeyspace {
 public:
  // `history`: how far go_back() can go.
  explicit RedisKeyspace(milliseconds history) : history_(history) {}

  // For what is asked from here on: the server's wall clock, and its steady one for the history.
  void set_time(std::int64_t wall_micros, SteadyTime steady);
  [[nodiscard]] std::int64_t now_ms() const { return wall_micros_ / 1000; }
  [[nodiscard]] std::int64_t now_micros() const { return wall_micros_; }

  // Null if there is none, or its time is over.
  [[nodiscard]] RedisValue* find(const std::string& key);
  // Before each write: remembers what is there, for go_back().
  void remember(const std::string& key);
  RedisValue& put(const std::string& key, RedisValue value);
  bool erase(const std::string& key);

  void clear();
  // To how it was at `then`, or as far back as the history goes.
  void go_back(SteadyTime then);

 private:
  struct Change {
    SteadyTime at;
    std::string key;
    std::optional<RedisValue> before;
  };

  const milliseconds history_;
  std::int64_t wall_micros_ = 0;
  SteadyTime steady_;
  std::map<std::string, RedisValue> values_;
  std::deque<Change> changes_;  // oldest first
};

}  // namespace infra::testing
