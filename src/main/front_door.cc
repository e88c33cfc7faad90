#include "main/front_door.h"

#include <utility>

#include "async/supervised.h"

namespace infra {
namespace {

constexpr std::chrono::seconds kDescriptorsLook{1};

http::ApiSettings api_settings(Program& program, http::WrongKeyDelay& wrong_keys, const ControllerDoor& controller) {
  const Config& config = program.config;
  return {.api_key = config.api_key,
          .metrics_public = config.metrics_public,
          .cors_origins = config.cors_origins,
          .trusted_proxy_hops = config.trusted_proxy_hops,
          .rate = config.rate,
          .after_wrong_key = [&wrong_keys] { return wrong_keys.wait(); },
          .keys = controller.keys,
          .audit = controller.audit,
          .spans = &program.spans};
}

}  // namespace

FrontDoor::FrontDoor(Program& program, RateLimiter& limiter, std::vector<HealthProbe*> probes, Gauges gauges,
                     const Routes& routes, ControllerDoor controller)
    : program_(program),
      gauges_(std::move(gauges)),
      health_(std::move(probes), program.config.health_interval, program.executor, program.clock),
      status_(health_, program.metrics, program.events,
              {.draining = [this] { return draining_.load(); },
               .gauges = [this] { return this->gauges(); },
               .overload = &program.overload,
               .configuration = std::move(controller.configuration)}),
      wrong_keys_(program.clock),
      api_(api_settings(program, wrong_keys_, controller), routes(status_), limiter, program.ids, program.clock,
           program.metrics, program.events) {}

Task<GaugeSample> FrontDoor::gauges() {
  auto sample = co_await gauges_();
  sample.requests_in_flight = static_cast<std::int64_t>(server_->requests_in_flight());
  co_return sample;
}

// Instances, engines and connections take from the same limit, and whoever comes last finds none: it is looked at every
// now and then, for one system call.
Task<void> FrontDoor::watch_descriptors() {
  const HostMachine& machine = program_.machine;
  const auto limit = static_cast<double>(machine.descriptor_limit);
  while (!draining_) {
    program_.overload.report(Resource::descriptors, static_cast<double>(machine.open_descriptors()) / limit);
    co_await program_.clock.sleep_until(next_beat(program_.clock.steady_now(), kDescriptorsLook));
  }
}

Result<std::uint16_t> FrontDoor::open(const std::string& address) {
  server_ = program_.network.http_server(
      {.address = address,
       .port = program_.config.port,
       .bound_socket = program_.bound_socket,
       .connections =
           net::connection_limits(program_.machine.descriptor_limit, program_.config.trusted_proxy_hops == 0),
       .tls = program_.tls,
       .overload = &program_.overload,
       .on_closed = [&metrics = program_.metrics](
                        std::string_view why) { metrics.count("http_connections_closed_total", why); }},
      [this](net::Request& request) { return api_.handle(request); },
      [this](const Error& error) { return api_.refuse(error); });
  if (auto listening = server_->start(); !listening) return fail(listening.error());
  program_.network.run_blocking(health_.start());
  spawn_supervised(program_.executor, program_.clock, "watching descriptors", [this] { return watch_descriptors(); });
  if (program_.spans.exported()) {
    spans_ = std::make_unique<SpanExport>(program_);
    spans_->start();
  }
  return server_->port();
}

void FrontDoor::stop_accepting() {
  draining_ = true;
  server_->stop_accepting();
}

void FrontDoor::close() {
  health_.stop();
  if (server_) server_->close();
  if (spans_) program_.network.run_blocking(spans_->finish());
}

}  // namespace infra
