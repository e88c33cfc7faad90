#include "adapters/redis/heartbeat_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "adapters/redis/reference_result.h"
#include "core/json_text.h"
#include "core/json_value.h"

namespace infra {
namespace {

namespace json = boost::json;

constexpr double kMost = 9e15;  // every whole number up to here is a double

std::optional<json::object> read_object(std::string_view text) {
  auto value = parse_json(text);
  if (!value || !value->is_object()) return std::nullopt;
  return std::move(value->get_object());
}

// The nearest one from 0 to `most`.
double number_in(const json::object& object, std::string_view name, double most = kMost) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_number() ? std::clamp(value->to_number<double>(), 0.0, most) : 0;
}

int count_in(const json::object& object, std::string_view name) {
  return static_cast<int>(number_in(object, name, 1e6));
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

std::string unreceived_text(const Heartbeat& beat) {
  return fmt::format(R"({{"status":{},"pools":{},"activeJobs":{},"uptimeSeconds":{},"timestamp":{})",
                     json_quote(beat.status), json_counts(beat.pools), beat.active_jobs,
                     json_number(beat.uptime_seconds), json_quote(beat.timestamp));
}

std::optional<Heartbeat> read_heartbeat(WorkerId id, std::string_view text, WallTime server_now, WallTime now) {
  const auto object = read_object(text);
  if (!object) return std::nullopt;
  const WallTime received{milliseconds{std::llround(number_in(*object, "receivedAt"))}};
  return Heartbeat{.worker_id = std::move(id),
                   .status = text_in(*object, "status"),
                   .pools = pools_in(*object),
                   .active_jobs = count_in(*object, "activeJobs"),
                   .uptime_seconds = number_in(*object, "uptimeSeconds"),
                   .timestamp = text_in(*object, "timestamp"),
                   .received_at = now - std::max(server_now - received, milliseconds{0})};  // its clock went back
}

std::optional<Heartbeat> read_reference_heartbeat(std::string_view text, WallTime now) {
  const auto object = read_object(text);
  if (!object) return std::nullopt;
  const std::string id = text_in(*object, "worker_id");
  return Heartbeat{.worker_id = {id.empty() ? std::string(kReferenceWorker) : id},
                   .status = "healthy",
                   .pools = pools_in(*object),
                   .active_jobs = count_in(*object, "active_jobs"),
                   .uptime_seconds = number_in(*object, "uptime_seconds"),
                   .timestamp = text_in(*object, "timestamp"),
                   .received_at = now};
}

}  // namespace infra
