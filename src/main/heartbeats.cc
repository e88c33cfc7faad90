#include "main/heartbeats.h"

#include <fmt/format.h>

#include "core/json_text.h"
#include "core/operator_error_codes.h"
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
  note(&Told::registry, co_await registry_.record(beat), "Redis");
  if (!config_.controller_url.empty()) note(&Told::controller, co_await post(beat), "CONTROLLER_URL");
}

void Heartbeats::stop() {
  stopped_->notify();
}

Task<Result<void>> Heartbeats::post(Heartbeat beat) {
  net::ClientRequest request{.method = "POST", .url = config_.controller_url + "/api/worker/heartbeat"};
  request.headers.add("Content-Type", "application/json");
  request.headers.add("x-api-key", config_.api_key);
  request.body = to_json(beat);
  request.timeout = kPostTimeout;
  const auto answer = co_await http_.send(std::move(request));
  if (!answer) co_return fail(answer.error());
  if (answer->status / 100 == 2) co_return Result<void>{};
  co_return fail(errors::heartbeat_refused, fmt::format("It answered {}.", answer->status));
}

void Heartbeats::note(std::string Told::* way, const Result<void>& done, std::string_view where) {
  std::string failure;
  if (!done) failure = done.error().code == errors::heartbeat_refused ? done.error().message : done.error().code;
  {
    const MutexLock lock(mutex_);
    if (told_.*way == failure) return;
    told_.*way = failure;
  }
  if (done) {
    log::info("heartbeats arrive again", {{"where", where}});
  } else {
    log::warn("heartbeats do not arrive", {{"where", where}, {"why", done.error().message}});
  }
}

}  // namespace infra
