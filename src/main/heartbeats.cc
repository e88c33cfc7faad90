#include "main/heartbeats.h"

#include <fmt/format.h>

#include "core/json_text.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr milliseconds kPostTimeout{3000};

std::string to_json(const Heartbeat& beat) {
  return fmt::format(R"({{"workerId":{},"status":{},"pools":{},"activeJobs":{},"uptimeSeconds":{},"timestamp":{}}})",
                     json_quote(beat.worker_id.value), json_quote(beat.status), json_counts(beat.pools),
                     beat.active_jobs, json_number(beat.uptime_seconds), json_quote(beat.timestamp));
}

}  // namespace

Heartbeats::Heartbeats(const Config& config, WorkerRegistry& registry, net::HttpClient& http, Clock& clock,
                       std::function<Heartbeat()> now)
    : config_(config),
      registry_(registry),
      http_(http),
      clock_(clock),
      now_(std::move(now)),
      stopped_(clock.make_signal()) {}

Task<void> Heartbeats::beat_on() {
  SteadyTime next = clock_.steady_now();
  do {
    co_await beat();
    next = std::max(next + kInterval, clock_.steady_now());
  } while (!co_await stopped_->wait_until(next));
}

Task<void> Heartbeats::beat() {
  const Heartbeat beat = now_();
  note(registry_failing_, co_await registry_.record(beat), "Redis");
  if (!config_.controller_url.empty()) note(controller_failing_, co_await post(beat), "CONTROLLER_URL");
}

void Heartbeats::stop() {
  stopped_->notify();
}

Task<Result<void>> Heartbeats::post(Heartbeat beat) {
  net::ClientRequest request{.method = "POST", .url = config_.controller_url + "/worker/heartbeat"};
  request.headers.add("Content-Type", "application/json");
  request.headers.add("x-api-key", config_.api_key);
  request.body = to_json(beat);
  request.timeout = kPostTimeout;
  const auto answer = co_await http_.send(std::move(request));
  if (!answer) co_return fail(answer.error());
  if (answer->status == 200) co_return Result<void>{};
  co_return fail(ErrorKind::unavailable, "heartbeat_refused", fmt::format("It answered {}.", answer->status));
}

void Heartbeats::note(std::atomic<bool>& failing, const Result<void>& done, std::string_view where) {
  if (!done && !failing.exchange(true)) {
    log::warn("heartbeats do not arrive", {{"where", where}, {"why", done.error().message}});
  }
  if (done && failing.exchange(false)) log::info("heartbeats arrive again", {{"where", where}});
}

}  // namespace infra
