#include "adapters/redis/redis_quarantine.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "core/limits.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr const char* kQuarantines = "infra:quarantine";

// ARGV: a name for the lost job, ms that it counts. Gives how many there are.
const net::RedisScript& count_script() {
  static const net::RedisScript kScript(R"(
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[2])))
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
)");
  return kScript;
}

// ARGV: a field to begin (or nothing), ms that it lasts. Drops what is over; gives field, ms that are left, field …
const net::RedisScript& quarantine_script() {
  static const net::RedisScript kScript(R"(
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if ARGV[1] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + tonumber(ARGV[2])))
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
local found = redis.call('HGETALL', KEYS[1])
local lasting = {}
for i = 1, #found, 2 do
  local left = tonumber(found[i + 1]) - now
  if left > 0 then
    lasting[#lasting + 1] = found[i]
    lasting[#lasting + 1] = left
  else
    redis.call('HDEL', KEYS[1], found[i])
  end
end
return lasting
)");
  return kScript;
}

// A function's id has no space.
std::string field_of(const CodeVersion& version) {
  return version.function.value + ' ' + version.code;
}

std::map<CodeVersion, SteadyTime> read(const net::RedisReply& reply, SteadyTime now) {
  std::map<CodeVersion, SteadyTime> lasting;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    const std::string& field = reply.elements[i].text;
    const auto space = field.find(' ');
    if (space == std::string::npos) continue;
    const milliseconds left = std::min<milliseconds>(milliseconds{reply.elements[i + 1].integer}, limits::kQuarantine);
    lasting[{.function = {field.substr(0, space)}, .code = field.substr(space + 1)}] = now + left;
  }
  return lasting;
}

std::string number(milliseconds time) {
  return std::to_string(time.count());
}

}  // namespace

Task<void> RedisQuarantine::note_lost(const Job& job) {
  const CodeVersion version = version_of(job.function_id, job.code);
  const std::string key = fmt::format("infra:lost:{}:{}", version.function.value, version.code);
  const auto lost = co_await redis_.eval(count_script(), key, {job.request_id.value, number(limits::kQuarantine)});
  if (!lost || lost->integer < limits::kMaxReceives) co_return;
  log::error("a version of a function is in quarantine: its jobs took their worker down again and again",
             {{"functionId", version.function.value}, {"version", version.code}});
  list_.add(version, clock_.steady_now() + limits::kQuarantine);
  const auto begun =
      co_await redis_.eval(quarantine_script(), kQuarantines, {field_of(version), number(limits::kQuarantine)});
  if (!begun) log::warn("a quarantine could not be told of", {{"functionId", version.function.value}});
}

Task<void> RedisQuarantine::look() {
  const auto lasting = co_await redis_.eval(quarantine_script(), kQuarantines, {"", "0"});
  if (lasting) list_.replace(read(*lasting, clock_.steady_now()));
}

Task<void> RedisQuarantine::watch() {
  while (true) {
    co_await look();
    co_await clock_.sleep_until(clock_.steady_now() + kLookInterval);
  }
}

}  // namespace infra
