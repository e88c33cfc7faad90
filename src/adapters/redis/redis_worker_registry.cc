#include "adapters/redis/redis_worker_registry.h"

#include <algorithm>

#include "adapters/redis/heartbeat_text.h"
#include "core/text.h"

namespace infra {
namespace {

constexpr const char* kWorkers = "infra:workers";
constexpr const char* kReference = "system:status";
constexpr std::chrono::seconds kWatchInterval{2};

// ARGV: a worker's id, its heartbeat but for the end, how many workers there may be. Gives 0 if it is one too many.
const net::RedisScript& record_script() {
  static const net::RedisScript kScript(R"(
local known = redis.call('HEXISTS', KEYS[1], ARGV[1])
if known == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. string.format(',"receivedAt":%.0f}', now))
return 1
)");
  return kScript;
}

// ARGV: ms of silence. Gives the server's time in ms, then an id and its heartbeat of each that was heard of within
// that; others are forgotten, as is who was heard of long before the server's clock went back.
const net::RedisScript& list_script() {
  static const net::RedisScript kScript(R"(
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local all = redis.call('HGETALL', KEYS[1])
local alive = {string.format('%.0f', now)}
for i = 1, #all, 2 do
  local read, beat = pcall(cjson.decode, all[i + 1])
  local at = read and type(beat) == 'table' and tonumber(beat.receivedAt)
  if at and math.abs(now - at) <= tonumber(ARGV[1]) then
    alive[#alive + 1] = all[i]
    alive[#alive + 1] = all[i + 1]
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return alive
)");
  return kScript;
}

}  // namespace

RedisWorkerRegistry::RedisWorkerRegistry(net::RedisClient& redis, Clock& clock) : redis_(redis), clock_(clock) {}

Task<Result<void>> RedisWorkerRegistry::record(const Heartbeat& heartbeat) {
  const net::RedisCommand arguments{heartbeat.worker_id.value, unreceived_text(heartbeat),
                                    std::to_string(kMostWorkers)};
  auto kept = co_await redis_.eval(record_script(), kWorkers, arguments);
  if (kept && kept->integer == 0 && co_await list()) {  // which forgets those that are gone
    kept = co_await redis_.eval(record_script(), kWorkers, arguments);
  }
  if (!kept) co_return fail(kept.error());
  if (kept->integer == 0) co_return fail(too_many_workers());
  co_return Result<void>{};
}

Task<Result<std::vector<Heartbeat>>> RedisWorkerRegistry::list() {
  const auto reply = co_await redis_.eval(list_script(), kWorkers, {std::to_string(milliseconds{kSilence}.count())});
  if (!reply) co_return fail(reply.error());
  std::vector<Heartbeat> alive;
  const auto& told = reply->elements;
  const auto server_time = told.empty() ? std::nullopt : parse_whole(told.front().text);
  for (std::size_t i = 1; server_time && i + 1 < told.size(); i += 2) {
    auto beat = read_heartbeat({told[i].text}, told[i + 1].text, WallTime{milliseconds{*server_time}}, clock_.now());
    if (beat) alive.push_back(std::move(*beat));
  }
  auto reference = co_await reference_worker();
  if (!reference) co_return fail(reference.error());
  if (*reference) alive.push_back(std::move(**reference));
  std::ranges::sort(alive, {}, &Heartbeat::worker_id);
  co_return alive;
}

Task<Result<std::optional<Heartbeat>>> RedisWorkerRegistry::reference_worker() {
  const auto reply = co_await redis_.command({"GET", kReference}, kReference);
  if (!reply) co_return fail(reply.error());
  auto beat = reply->is_nil() ? std::nullopt : read_reference_heartbeat(reply->text, clock_.now());
  reference_alive_ = beat.has_value();
  co_return beat;
}

bool RedisWorkerRegistry::reference_worker_alive() const {
  const SteadyTime heard = reference_heard_;
  return reference_alive_ || (heard != SteadyTime::min() && clock_.steady_now() - heard < kHeardOf);
}

Task<void> RedisWorkerRegistry::watch() {
  while (true) {
    co_await reference_worker();  // while Redis is away what was last known holds
    co_await clock_.sleep_until(clock_.steady_now() + kWatchInterval);
  }
}

}  // namespace infra
