#include "main/front_door.h"

#include <utility>

namespace infra {
namespace {

http::ApiSettings api_settings(const Config& config, http::WrongKeyDelay& wrong_keys) {
  return {.api_key = config.api_key,
          .metrics_public = config.metrics_public,
          .cors_origins = config.cors_origins,
          .trusted_proxy_hops = config.trusted_proxy_hops,
          .rate = config.rate,
          .after_wrong_key = [&wrong_keys] { return wrong_keys.wait(); }};
}

}  // namespace

FrontDoor::FrontDoor(Program& program, RateLimiter& limiter, std::vector<HealthProbe*> probes, Gauges gauges,
                     const Routes& routes)
    : program_(program),
      gauges_(std::move(gauges)),
      health_(std::move(probes), program.executor, program.clock),
      status_(health_, program.metrics, program.events,
              {.draining = [this] { return draining_.load(); },
               .gauges = [this] { return this->gauges(); },
               .overload = &program.overload}),
      wrong_keys_(program.clock),
      api_(api_settings(program.config, wrong_keys_), routes(status_), limiter, program.ids, program.clock,
           program.metrics, program.events) {}

Task<GaugeSample> FrontDoor::gauges() {
  auto sample = co_await gauges_();
  sample.requests_in_flight = static_cast<std::int64_t>(server_->requests_in_flight());
  co_return sample;
}

Result<std::uint16_t> FrontDoor::open(const std::string& address) {
  server_ = std::make_unique<net::HttpServer>(
      program_.loops,
      net::HttpServerOptions{.address = address, .port = program_.config.port, .bound_socket = program_.bound_socket},
      [this](net::Request& request) { return api_.handle(request); },
      [this](const Error& error) { return api_.refuse(error); });
  if (auto listening = server_->start(); !listening) return fail(listening.error());
  program_.loops.run_blocking(health_.start());
  return server_->port();
}

void FrontDoor::stop_accepting() {
  draining_ = true;
  server_->stop_accepting();
}

void FrontDoor::close() {
  health_.stop();
  if (server_) server_->close();
}

}  // namespace infra
