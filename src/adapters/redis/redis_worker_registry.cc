#include "adapters/redis/redis_worker_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "adapters/redis/reference_result.h"
#include "core/json_text.h"
#include "core/text.h"

namespace infra {
namespace {

namespace json = boost::json;

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

std::string without_end(const Heartbeat& beat) {
  return fmt::format(R"({{"status":{},"pools":{},"activeJobs":{},"uptimeSeconds":{},"timestamp":{})",
                     json_quote(beat.status), json_counts(beat.pools), beat.active_jobs,
                     json_number(beat.uptime_seconds), json_quote(beat.timestamp));
}

std::optional<json::object> read_object(std::string_view text) {
  boost::system::error_code broken;
  auto value = json::parse(json::string_view(text.data(), text.size()), broken);
  if (broken || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

double number_in(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

int count_in(const json::object& object, std::string_view name) {
  return static_cast<int>(std::clamp(number_in(object, name), 0.0, 1e6));
}

std::string text_in(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) return {};
  if (value->is_string()) return std::string(value->get_string());
  return value->is_number() ? json::serialize(*value) : std::string();
}

std::map<std::string, int> pools_in(const json::object& object) {
  auto pools = Heartbeat{}.pools;
  const auto* given = object.if_contains("pools");
  if (given == nullptr || !given->is_object()) return pools;
  for (auto& [runtime, count] : pools) {
    count = count_in(given->get_object(), runtime);
  }
  return pools;
}

}  // namespace

RedisWorkerRegistry::RedisWorkerRegistry(net::RedisClient& redis, Clock& clock) : redis_(redis), clock_(clock) {}

Task<Result<void>> RedisWorkerRegistry::record(const Heartbeat& heartbeat) {
  const net::RedisCommand arguments{heartbeat.worker_id.value, without_end(heartbeat), std::to_string(kMostWorkers)};
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
    const auto object = read_object(told[i + 1].text);
    if (!object) continue;
    const auto came = static_cast<std::int64_t>(number_in(*object, "receivedAt"));
    const milliseconds ago{std::max<std::int64_t>(*server_time - came, 0)};
    alive.push_back({.worker_id = {told[i].text},
                     .status = text_in(*object, "status"),
                     .pools = pools_in(*object),
                     .active_jobs = count_in(*object, "activeJobs"),
                     .uptime_seconds = number_in(*object, "uptimeSeconds"),
                     .timestamp = text_in(*object, "timestamp"),
                     .received_at = clock_.now() - ago});
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
  const auto object = reply->is_nil() ? std::nullopt : read_object(reply->text);
  reference_alive_ = object.has_value();
  if (!object) co_return std::nullopt;
  const std::string id = text_in(*object, "worker_id");
  co_return Heartbeat{.worker_id = {id.empty() ? std::string(kReferenceWorker) : id},
                      .status = "healthy",
                      .pools = pools_in(*object),
                      .active_jobs = count_in(*object, "active_jobs"),
                      .uptime_seconds = number_in(*object, "uptime_seconds"),
                      .timestamp = text_in(*object, "timestamp"),
                      .received_at = clock_.now()};
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
