#include "platform/engines/redis/redis_commands.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "platform/engines/redis/redis_arguments.h"

namespace infra::testing {

using net::RedisCommand;
using net::RedisReply;

namespace redis_reply {

RedisReply nil() {
  return {};
}
RedisReply status(std::string text) {
  return {.type = RedisReply::Type::status, .text = std::move(text), .elements = {}};
}
RedisReply error(std::string text) {
  return {.type = RedisReply::Type::error, .text = std::move(text), .elements = {}};
}
RedisReply integer(std::int64_t number) {
  return {.type = RedisReply::Type::integer, .text = {}, .integer = number, .elements = {}};
}
RedisReply text(std::string text) {
  return {.type = RedisReply::Type::text, .text = std::move(text), .elements = {}};
}
RedisReply array() {
  return {.type = RedisReply::Type::array, .text = {}, .elements = {}};
}

}  // namespace redis_reply

void not_simulated(std::string_view what) {
  const std::string words = fmt::format("The simulated Redis does not know this: {}\n", what);
  std::fwrite(words.data(), 1, words.size(), stderr);
  std::abort();
}

std::optional<std::int64_t> redis_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (std::to_string(number) != text) return std::nullopt;
  return number;
}

std::string redis_number_text(double number) {
  if (std::abs(number) < 1e15 && std::floor(number) == number) {
    return std::to_string(static_cast<std::int64_t>(number));
  }
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.17g", number);
  return {text.data(), static_cast<std::size_t>(size)};
}

namespace {

RedisReply invalid_expire(std::string_view command) {
  return redis_reply::error(fmt::format("ERR invalid expire time in '{}' command", command));
}

RedisReply ping(RedisKeyspace&, const RedisCommand& words) {
  return words.size() > 1 ? redis_reply::text(words[1]) : redis_reply::status("PONG");
}

RedisReply echo(RedisKeyspace&, const RedisCommand& words) {
  return redis_reply::text(words[1]);
}

RedisReply time(RedisKeyspace& keys, const RedisCommand&) {
  RedisReply reply = redis_reply::array();
  reply.elements.push_back(redis_reply::text(std::to_string(keys.now_micros() / 1'000'000)));
  reply.elements.push_back(redis_reply::text(std::to_string(keys.now_micros() % 1'000'000)));
  return reply;
}

RedisReply get(RedisKeyspace& keys, const RedisCommand& words) {
  const auto found = redis_find<std::string>(keys, words[1]);
  if (found.wrong_type) return redis_reply::error(kWrongType);
  return found.data == nullptr ? redis_reply::nil() : redis_reply::text(*found.data);
}

RedisReply set(RedisKeyspace& keys, const RedisCommand& words) {
  bool absent_only = false;
  std::optional<std::int64_t> lives;
  for (std::size_t i = 3; i < words.size(); ++i) {
    const std::string& option = words[i];
    if (option == "NX") {
      absent_only = true;
    } else if ((option == "EX" || option == "PX") && i + 1 < words.size()) {
      const auto number = redis_integer(words[++i]);
      if (!number) return redis_reply::error(kNotAnInteger);
      if (*number <= 0) return invalid_expire("set");
      lives = option == "EX" ? *number * 1000 : *number;
    } else {
      not_simulated("SET … " + option);
    }
  }
  if (absent_only && keys.find(words[1]) != nullptr) return redis_reply::nil();
  keys.remember(words[1]);
  RedisValue value{.data = words[2], .expires_at = {}};
  if (lives) value.expires_at = keys.now_ms() + *lives;
  keys.put(words[1], std::move(value));
  return redis_reply::status("OK");
}

RedisReply setex(RedisKeyspace& keys, const RedisCommand& words) {
  const auto number = redis_integer(words[2]);
  if (!number) return redis_reply::error(kNotAnInteger);
  if (*number <= 0) return invalid_expire("setex");
  return set(keys, {"SET", words[1], words[3], "EX", words[2]});
}

RedisReply del(RedisKeyspace& keys, const RedisCommand& words) {
  std::int64_t gone = 0;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (keys.find(words[i]) == nullptr) continue;
    keys.remember(words[i]);
    keys.erase(words[i]);
    ++gone;
  }
  return redis_reply::integer(gone);
}

RedisReply exists(RedisKeyspace& keys, const RedisCommand& words) {
  std::int64_t there = 0;
  for (std::size_t i = 1; i < words.size(); ++i) there += keys.find(words[i]) == nullptr ? 0 : 1;
  return redis_reply::integer(there);
}

RedisReply pexpire(RedisKeyspace& keys, const RedisCommand& words) {
  if (words.size() != 3) not_simulated("PEXPIRE with options");
  const auto number = redis_integer(words[2]);
  if (!number) return redis_reply::error(kNotAnInteger);
  RedisValue* const value = keys.find(words[1]);
  if (value == nullptr) return redis_reply::integer(0);
  keys.remember(words[1]);
  if (*number <= 0) {
    keys.erase(words[1]);
  } else {
    value->expires_at = keys.now_ms() + *number;
  }
  return redis_reply::integer(1);
}

RedisReply pttl(RedisKeyspace& keys, const RedisCommand& words) {
  const RedisValue* const value = keys.find(words[1]);
  if (value == nullptr) return redis_reply::integer(-2);
  return redis_reply::integer(value->expires_at ? *value->expires_at - keys.now_ms() : -1);
}

constexpr std::array<RedisCommandRow, 10> kRows{{{"PING", 1, ping},
                                                 {"ECHO", 2, echo},
                                                 {"TIME", 1, time},
                                                 {"GET", 2, get},
                                                 {"SET", 3, set},
                                                 {"SETEX", 4, setex},
                                                 {"DEL", 2, del},
                                                 {"EXISTS", 2, exists},
                                                 {"PEXPIRE", 3, pexpire},
                                                 {"PTTL", 2, pttl}}};

}  // namespace

RedisReply run_redis_command(RedisKeyspace& keys, const RedisCommand& command) {
  if (command.empty()) not_simulated("a command without words");
  const RedisCommandRow* row = find_collection_command(command.front());
  for (const RedisCommandRow& each : kRows) {
    if (each.name == command.front()) row = &each;
  }
  if (row == nullptr) not_simulated(command.front());
  if (command.size() < row->least) not_simulated(fmt::format("{} of {} words", command.front(), command.size()));
  return row->run(keys, command);
}

}  // namespace infra::testing
