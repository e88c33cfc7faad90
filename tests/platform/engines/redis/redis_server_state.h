// What is inside the simulated server: its events, its connections, its memory. For simulated_redis*.cc alone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "platform/engines/dice.h"
#include "platform/engines/redis/redis_keyspace.h"
#include "platform/engines/redis/redis_lua.h"
#include "platform/engines/redis/simulated_redis.h"

namespace infra::testing {

struct RedisLine : std::enable_shared_from_this<RedisLine> {
  std::weak_ptr<RedisLineEnd> end;
  SteadyTime last_up;  // neither direction overtakes itself
  SteadyTime last_down;
  bool accepted = false;  // by the server, and not closed by it since
  bool broken = false;    // what was on its way to the client is lost
  bool hung_up = false;   // by the client
  bool cut = false;       // the client's process has crashed
  std::set<std::string> channels;
  std::set<std::string> patterns;
};

struct SimulatedRedis::State : std::enable_shared_from_this<SimulatedRedis::State> {
  State(Clock& given_clock, Random& random, const SimulatedRedisOptions& given);

  static Task<void> live(std::shared_ptr<State> self);
  void post(SteadyTime due, std::function<void()> what);
  void end();

  // To the server, which acts when it is not frozen; to the client, if it still listens.
  void up(RedisLine& line, std::function<void(RedisLine& line)> what);
  void down(RedisLine& line, std::function<void(RedisLineEnd& end)> what);
  void arrive(std::function<void()> what);
  void break_line(RedisLine& line, std::string_view why);
  void break_lines(std::string_view why);

  void accept(RedisLine& line);
  void serve(RedisLine& line, std::uint64_t call, const net::RedisCommand& command);
  // True if a fault of the server's keeps the command from being done now.
  bool strike(RedisLine& line, std::uint64_t call, const net::RedisCommand& command);

  net::RedisReply execute(const net::RedisCommand& command);
  net::RedisReply run(const net::RedisCommand& command);  // a script's, too
  net::RedisReply evaluate(const net::RedisCommand& command);
  std::int64_t publish(const std::string& channel, const std::string& payload);

  void freeze();
  void freeze_for(milliseconds time);
  void thaw();
  void kill();
  void fail_over(milliseconds lost, milliseconds away);
  void come_back_after(milliseconds away);

  [[nodiscard]] std::int64_t wall_micros();
  [[nodiscard]] SteadyTime now() const { return clock.steady_now(); }

  Clock& clock;
  simulation::Dice dice;
  SimulatedRedisOptions options;

  std::map<std::pair<SteadyTime, std::uint64_t>, std::function<void()>> events;  // by time, then as they came
  std::uint64_t next_event = 0;
  std::shared_ptr<Signal> waiting;
  bool ended = false;

  std::vector<std::shared_ptr<RedisLine>> lines;  // that are accepted
  std::deque<std::function<void()>> in_sockets;   // what arrived while it is frozen
  bool up_and_running = true;
  bool frozen = false;
  std::uint64_t freezes = 0;
  std::uint64_t outages = 0;

  RedisKeyspace keys;
  std::set<std::string> scripts;                          // that the server knows, by SHA-1
  std::map<std::string, net::RedisScript> known_scripts;  // that it ever saw
  RedisLua lua;

  std::int64_t wall_ahead = 0;  // of the steady clock, µs
  std::int64_t jumped = 0;      // µs
  double drifted = 0;           // µs, until it was looked at
  SteadyTime looked_at;
};

}  // namespace infra::testing
