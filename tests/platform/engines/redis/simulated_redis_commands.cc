// What the simulated server does with a command that has arrived: scripts, publishing, and its clock.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "platform/engines/redis/redis_arguments.h"
#include "platform/engines/redis/redis_commands.h"
#include "platform/engines/redis/redis_server_state.h"

namespace infra::testing {

using net::RedisCommand;
using net::RedisReply;

namespace {

// As PSUBSCRIBE's patterns of ours are: a star, and nothing else.
bool matches(std::string_view pattern, std::string_view channel) {
  if (pattern.find_first_of("?[\\") != std::string_view::npos) not_simulated(pattern);
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == channel;
  const std::string_view after = pattern.substr(star + 1);
  if (after.contains('*')) not_simulated(pattern);
  return channel.size() >= star + after.size() && channel.starts_with(pattern.substr(0, star)) &&
         channel.ends_with(after);
}

}  // namespace

// To the microsecond, which the Clock port's wall does not tell: its steady clock does, and a jump of the wall counts.
std::int64_t SimulatedRedis::State::wall_micros() {
  constexpr std::int64_t kJump = 2'000;
  const auto steady = std::chrono::duration_cast<microseconds>(now().time_since_epoch()).count();
  const auto said = std::chrono::duration_cast<microseconds>(clock.now().time_since_epoch()).count();
  if (std::abs(said - steady - wall_ahead) > kJump) wall_ahead = said - steady;
  drifted += options.drift * std::chrono::duration<double, std::micro>(now() - std::exchange(looked_at, now())).count();
  return steady + wall_ahead + jumped + std::llround(drifted);
}

RedisReply SimulatedRedis::State::execute(const RedisCommand& command) {
  if (command.empty()) not_simulated("a command without words");
  keys.set_time(wall_micros(), now());
  const std::string& name = command.front();
  if (name == "EVAL" || name == "EVALSHA") return evaluate(command);
  if (name == "PUBLISH" && command.size() == 3) return redis_reply::integer(publish(command[1], command[2]));
  if (name == "FLUSHALL" && command.size() == 1) {
    keys.clear();
    return redis_reply::status("OK");
  }
  if (name == "SCRIPT" && command.size() == 2 && command[1] == "FLUSH") {
    scripts.clear();
    return redis_reply::status("OK");
  }
  return run(command);
}

// A hash's fields come in no order that anybody may rely on.
RedisReply SimulatedRedis::State::run(const RedisCommand& command) {
  RedisReply reply = run_redis_command(keys, command);
  if (command.front() != "HGETALL") return reply;
  auto& elements = reply.elements;
  for (std::size_t left = elements.size() / 2; left > 1; --left) {
    const std::size_t other = dice.below(left);
    std::swap(elements[2 * other], elements[2 * left - 2]);
    std::swap(elements[2 * other + 1], elements[2 * left - 1]);
  }
  return reply;
}

RedisReply SimulatedRedis::State::evaluate(const RedisCommand& command) {
  if (command.size() < 3) not_simulated("EVAL of too few words");
  const auto count = redis_integer(command[2]);
  if (!count || *count < 0 || *count > std::ssize(command) - 3) not_simulated("EVAL with another count of keys");
  std::string sha = command[1];
  if (command.front() == "EVAL") {
    net::RedisScript script(command[1]);
    sha = script.sha1();
    known_scripts.try_emplace(sha, std::move(script));
    scripts.insert(sha);
  } else if (!scripts.contains(sha)) {
    return redis_reply::error("NOSCRIPT No matching script. Please use EVAL.");
  }
  const auto first = command.begin() + 3;
  return lua.run(known_scripts.at(sha), {first, first + *count}, {first + *count, command.end()});
}

std::int64_t SimulatedRedis::State::publish(const std::string& channel, const std::string& payload) {
  std::int64_t hearers = 0;
  for (const auto& line : std::vector(lines)) {
    const auto times = (line->channels.contains(channel) ? 1 : 0) +
                       std::ranges::count_if(line->patterns, [&](const auto& each) { return matches(each, channel); });
    if (times == 0) continue;
    hearers += times;
    if (dice.chance(options.unheard)) {
      break_line(*line, "Connection reset by peer");
      continue;
    }
    for (auto i = times; i > 0; --i) {
      down(*line, [channel, payload](RedisLineEnd& end) { end.heard(channel, payload); });
    }
  }
  return hearers;
}

}  // namespace infra::testing
