#include "main/span_export.h"

#include <fmt/format.h>

#include <utility>

#include "async/supervised.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr std::chrono::seconds kInterval{1};
constexpr milliseconds kTimeout{5000};
constexpr milliseconds kLastTimeout{1000};
constexpr milliseconds kLook{20};
constexpr int kMostAttempts = 5;
constexpr std::uint64_t kMostAnswer = std::uint64_t{64} * 1024;

std::string traces_url(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint + "/v1/traces";
}

// It may take them later (OTLP/HTTP, "Retryable Response Codes").
bool is_passing(const Result<net::Response>& answer) {
  return !answer || answer->status == 429 || (answer->status >= 502 && answer->status <= 504);
}

}  // namespace

SpanExport::SpanExport(Program& program)
    : program_(program), http_(program.network.http_client()), url_(traces_url(program.config.otlp_endpoint)) {}

void SpanExport::start() {
  spawn_supervised(program_.executor, program_.clock, "exporting spans", [this] { return export_on(); });
}

Task<void> SpanExport::export_on() {
  while (!stopping_) {
    idle_ = false;
    co_await send_waiting(kTimeout);
    idle_ = true;
    co_await program_.clock.sleep_until(program_.clock.steady_now() + kInterval);
  }
}

Task<void> SpanExport::finish() {
  stopping_ = true;
  const SteadyTime deadline = program_.clock.steady_now() + kLastTimeout;
  while (!idle_ && program_.clock.steady_now() < deadline)
    co_await program_.clock.sleep_until(program_.clock.steady_now() + kLook);
  if (idle_.exchange(false)) co_await send_waiting(kLastTimeout);
}

// One that does not leave stays the first, and the others wait behind it.
Task<void> SpanExport::send_waiting(milliseconds timeout) {
  while (true) {
    if (!batch_) batch_ = std::make_shared<const std::vector<Span>>(program_.spans.take());
    if (batch_->empty()) batch_.reset();
    if (!batch_ || !co_await send(timeout)) break;
  }
  const std::uint64_t dropped = program_.spans.dropped();
  program_.metrics.increase("spans_dropped_total", dropped - std::exchange(told_dropped_, dropped));
}

// False if it is to be tried again later.
Task<bool> SpanExport::send(milliseconds timeout) {
  net::ClientRequest request{.method = "POST", .url = url_, .timeout = timeout, .max_response_bytes = kMostAnswer};
  request.headers.add("Content-Type", "application/json");
  // Some of a batch's text takes longer than an event thread has.
  const auto body = std::make_shared<std::string>();
  co_await program_.executor.offload(
      [body, batch = batch_, instance = program_.machine.name] { *body = otlp_json(*batch, "infra", instance); });
  request.body = std::move(*body);
  const auto answer = co_await http_->send(std::move(request));
  const bool taken = answer && answer->status / 100 == 2;
  tell(taken);
  if (!taken && is_passing(answer) && ++attempts_ < kMostAttempts) co_return false;
  if (taken) {
    program_.metrics.increase("spans_exported_total", batch_->size());
  } else {
    program_.spans.drop(batch_->size());
  }
  batch_.reset();
  attempts_ = 0;
  co_return true;
}

void SpanExport::tell(bool works) {
  if (std::exchange(worked_, works) == works) return;
  if (works) {
    log::info("the collector takes spans again");
  } else {
    log::warn("the collector takes no spans; they wait, and then they are dropped", {{"url", url_}});
  }
}

}  // namespace infra
