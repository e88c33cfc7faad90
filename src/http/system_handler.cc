#include "http/system_handler.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error_codes.h"
#include "core/json_text.h"
#include "core/text.h"
#include "http/error_response.h"
#include "http/json_fields.h"
#include "http/query.h"
#include "telemetry/log.h"

namespace infra::http {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kMaxHeartbeatBytes = 64 * 1024;

std::unexpected<Error> invalid_heartbeat(std::string message) {
  return fail(errors::invalid_heartbeat, std::move(message));
}

std::string model_json(const Model& model) {
  const std::string size = model.size_bytes ? fmt::format(R"("size":{},)", *model.size_bytes) : "";
  return fmt::format(R"({{"id":{},"name":{},{}"details":{},"status":{}}})", json_quote(model.id),
                     json_quote(model.name), size, model.details_json, json_quote(model.status));
}

Result<std::map<std::string, int>> read_pools(const json::object& body) {
  auto pools = Heartbeat{}.pools;
  const auto* given = body.if_contains("pools");
  if (given == nullptr) return pools;
  if (!given->is_object()) return invalid_heartbeat("pools must be an object of whole numbers by runtime.");
  for (const auto& [runtime, count] : given->get_object()) {
    const auto known = pools.find(std::string(runtime));
    if (known == pools.end()) continue;
    if (!count.is_int64() || count.get_int64() < 0 || count.get_int64() > 1'000'000) {
      return invalid_heartbeat("pools must be an object of whole numbers by runtime.");
    }
    known->second = static_cast<int>(count.get_int64());
  }
  return pools;
}

// Text of at most 256 bytes; absent is empty.
Result<std::string> read_text(const json::object& body, std::string_view name) {
  const auto* value = body.if_contains(name);
  if (value == nullptr) return std::string();
  if (!value->is_string() || value->get_string().size() > 256) {
    return invalid_heartbeat(fmt::format("{} must be a string of at most 256 bytes.", name));
  }
  return std::string(value->get_string());
}

Result<double> read_number(const json::object& body, std::string_view name, double most) {
  const auto* value = body.if_contains(name);
  if (value == nullptr) return 0.0;
  const double number = value->is_number() ? value->to_number<double>() : -1;
  if (!(number >= 0 && number <= most))
    return invalid_heartbeat(fmt::format("{} must be a number of at least 0.", name));
  return number;
}

Result<Heartbeat> read_heartbeat(std::string_view text) {
  const auto body = read_object(text);
  if (!body) return fail(body.error());
  const auto id = read_text(*body, "workerId");
  const auto status = read_text(*body, "status");
  // The reference's workers send seconds as a number here and there.
  const auto* stamp = body->if_contains("timestamp");
  const Result<std::string> timestamp = stamp != nullptr && stamp->is_number()
                                            ? Result<std::string>(json::serialize(*stamp))
                                            : read_text(*body, "timestamp");
  const auto pools = read_pools(*body);
  const auto active = read_number(*body, "activeJobs", 1e6);
  const auto uptime = read_number(*body, "uptimeSeconds", 1e12);
  for (const auto* field : {&id, &status, &timestamp}) {
    if (!*field) return fail(field->error());
  }
  if (!pools) return fail(pools.error());
  if (!active) return fail(active.error());
  if (!uptime) return fail(uptime.error());
  if (id->empty()) return invalid_heartbeat("workerId is missing.");
  return Heartbeat{.worker_id = {*id},
                   .status = status->empty() ? "healthy" : *status,
                   .pools = *pools,
                   .active_jobs = static_cast<int>(*active),
                   .uptime_seconds = *uptime,
                   .timestamp = *timestamp,
                   .received_at = {}};
}

}  // namespace

Task<Result<net::Response>> SystemHandler::heartbeat(Context& context) {
  const auto body = co_await read_json_body(context.request, kMaxHeartbeatBytes);
  if (!body) co_return fail(body.error());
  auto heartbeat = read_heartbeat(*body);
  if (!heartbeat) co_return fail(heartbeat.error());
  heartbeat->received_at = clock_.now();
  if (auto recorded = co_await workers_.record(*heartbeat); !recorded) co_return fail(recorded.error());
  if (!takes_jobs(heartbeat->worker_id) && !warned_.exchange(true)) {
    log::warn("a worker that can take no jobs sends heartbeats: the queue of one machine is inside its program",
              {{"workerId", heartbeat->worker_id.value}});
  }
  co_return json_response(200, R"({"ok":true})");
}

// `healthStatus` goes by silence, and who is silent for too long is not listed; what a worker says of itself is
// `status`. Where but one can take jobs, each says whether it does.
std::string SystemHandler::worker_json(const Heartbeat& worker, WallTime now) const {
  const auto seen = std::chrono::duration_cast<milliseconds>(worker.received_at.time_since_epoch());
  const auto ago =
      std::max(std::chrono::round<std::chrono::seconds>(now - worker.received_at), std::chrono::seconds{0});
  const char* takes = takes_jobs(worker.worker_id) ? R"(,"takesJobs":true)" : R"(,"takesJobs":false)";
  return fmt::format(
      R"({{"workerId":{},"status":{},"healthStatus":"healthy","pools":{},"activeJobs":{},"uptimeSeconds":{},"lastSeen":{},)"
      R"("lastSeenAgo":"{}s","receivedAt":"{}"{}}})",
      json_quote(worker.worker_id.value), json_quote(worker.status), json_counts(worker.pools), worker.active_jobs,
      json_number(worker.uptime_seconds), seen.count(), ago.count(), to_iso8601(worker.received_at),
      only_worker_ ? takes : "");
}

Task<Result<std::vector<Heartbeat>>> SystemHandler::known_workers() {
  if (refresh_) co_await refresh_();
  co_return co_await workers_.list();
}

Task<Result<std::vector<std::string>>> SystemHandler::worker_rows() {
  const auto known = co_await known_workers();
  if (!known) co_return fail(known.error());
  const WallTime now = clock_.now();
  std::vector<std::string> rows;
  for (const Heartbeat& worker : *known) rows.push_back(worker_json(worker, now));
  co_return rows;
}

Task<Result<net::Response>> SystemHandler::workers(Context&) {
  const auto rows = co_await worker_rows();
  if (!rows) co_return fail(rows.error());
  const auto workers = json_array(*rows, [](const std::string& row) { return row; });
  co_return json_response(
      200, fmt::format(R"({{"totalWorkers":{0},"healthyWorkers":{0},"workers":{1}}})", rows->size(), workers));
}

Task<Result<net::Response>> SystemHandler::system_status(Context&) {
  const auto known = co_await known_workers();
  if (!known) co_return fail(known.error());
  int active = 0;
  auto pools = Heartbeat{}.pools;
  for (const auto& worker : *known) {
    active += worker.active_jobs;
    for (const auto& [runtime, count] : worker.pools) pools[runtime] += count;
  }
  const auto uptime = std::chrono::ceil<std::chrono::seconds>(clock_.steady_now() - started_);
  const std::chrono::duration<double> now = clock_.now().time_since_epoch();
  co_return json_response(
      200, fmt::format(
               R"({{"status":"{}","worker_count":{},"active_jobs":{},"pools":{},"uptime_seconds":{},"timestamp":{}}})",
               known->empty() ? "offline" : "online", known->size(), active, json_counts(pools), uptime.count(),
               json_number(now.count())));
}

Task<Result<net::Response>> SystemHandler::models(Context&) {
  const auto found = co_await models_.list();
  const std::string warning = found.warning.empty() ? "" : fmt::format(R"(,"warning":{})", json_quote(found.warning));
  co_return json_response(200, fmt::format(R"({{"models":{}{}}})", json_array(found.models, model_json), warning));
}

}  // namespace infra::http
