#include "adapters/redis/redis_worker_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "adapters/redis/reference_result.h"
#include "core/json_text.h"

namespace infra {
namespace {

namespace json = boost::json;

constexpr const char* kWorkers = "infra:workers";
constexpr const char* kReference = "system:status";
constexpr std::chrono::seconds kWatchInterval{2};

std::string to_text(const Heartbeat& beat) {
  return fmt::format(R"({{"status":{},"pools":{},"activeJobs":{},"uptimeSeconds":{},"timestamp":{},"receivedAt":{}}})",
                     json_quote(beat.status), json_counts(beat.pools), beat.active_jobs,
                     json_number(beat.uptime_seconds), json_quote(beat.timestamp),
                     beat.received_at.time_since_epoch().count());
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
  Heartbeat received = heartbeat;
  received.received_at = clock_.now();
  const auto kept = co_await redis_.command({"HSET", kWorkers, received.worker_id.value, to_text(received)}, kWorkers);
  if (!kept) co_return fail(kept.error());
  co_return Result<void>{};
}

Task<Result<std::vector<Heartbeat>>> RedisWorkerRegistry::list() {
  const auto reply = co_await redis_.command({"HGETALL", kWorkers}, kWorkers);
  if (!reply) co_return fail(reply.error());
  std::vector<Heartbeat> alive;
  net::RedisCommand forget{"HDEL", kWorkers};
  for (std::size_t i = 0; i + 1 < reply->elements.size(); i += 2) {
    const auto object = read_object(reply->elements[i + 1].text);
    const WallTime at{milliseconds{object ? static_cast<std::int64_t>(number_in(*object, "receivedAt")) : 0}};
    if (!object || clock_.now() - at > kSilence) {
      forget.push_back(reply->elements[i].text);
      continue;
    }
    alive.push_back({.worker_id = {reply->elements[i].text},
                     .status = text_in(*object, "status"),
                     .pools = pools_in(*object),
                     .active_jobs = count_in(*object, "activeJobs"),
                     .uptime_seconds = number_in(*object, "uptimeSeconds"),
                     .timestamp = text_in(*object, "timestamp"),
                     .received_at = at});
  }
  if (forget.size() > 2) co_await redis_.command(std::move(forget), kWorkers);
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
