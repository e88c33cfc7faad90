#include "main/front_door.h"

#include <utility>

namespace infra {
namespace {

http::ApiSettings api_settings(const Config& config) {
  return {.api_key = config.api_key,
          .metrics_public = config.metrics_public,
          .cors_origins = config.cors_origins,
          .trusted_proxy_hops = config.trusted_proxy_hops,
          .rate = config.rate};
}

}  // namespace

FrontDoor::FrontDoor(Deps deps, std::vector<HealthProbe*> probes, Gauges gauges, const Routes& routes)
    : deps_(deps),
      gauges_(std::move(gauges)),
      health_(std::move(probes), deps.executor, deps.clock),
      status_(health_, deps.metrics,
              {.draining = [this] { return draining_.load(); }, .gauges = [this] { return this->gauges(); }}),
      api_(api_settings(deps.config), routes(status_), deps.limiter, deps.ids, deps.clock, deps.metrics) {}

Task<GaugeSample> FrontDoor::gauges() {
  auto sample = co_await gauges_();
  sample.requests_in_flight = static_cast<std::int64_t>(server_->requests_in_flight());
  co_return sample;
}

Result<std::uint16_t> FrontDoor::open(const std::string& address) {
  server_ = std::make_unique<net::HttpServer>(
      deps_.loops, net::HttpServerOptions{.address = address, .port = deps_.config.port},
      [this](net::Request& request) { return api_.handle(request); },
      [this](const Error& error) { return api_.refuse(error); });
  if (auto listening = server_->start(); !listening) return fail(listening.error());
  deps_.loops.run_blocking(health_.start());
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
