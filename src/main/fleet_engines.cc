#include "main/fleet_engines.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "adapters/aws/auth/credential_chain.h"
#include "main/fleet_endpoints.h"

namespace infra {
namespace {

// Redis' authorities may be in a file that this program can't open itself.
FleetConfig with_authorities(FleetConfig fleet, const aws::OpenFile& open) {
  if (!fleet.redis.tls || fleet.redis.ca_file.empty()) return fleet;
  auto pem = aws::read_small_file(open, fleet.redis.ca_file);
  if (!pem) throw std::runtime_error("Redis: the certificate authorities: " + pem.error().message);
  fleet.redis.ca_pem = std::move(*pem);
  return fleet;
}

}  // namespace

FleetEngines::FleetEngines(Program& program, const Variables& variables, SqsQueueOptions of_queue)
    : fleet(with_authorities(*program.config.fleet, program.open_secret)),
      http(program.network.http_client()),
      credentials(aws::make_credential_chain(variables, fleet.region, *http, program.executor, program.clock,
                                             program.open_secret)),
      s3(s3_of(fleet), *http, *credentials, program.clock, program.random),
      sqs(sqs_of(fleet), *http, *credentials, program.clock, program.random),
      dynamodb(dynamodb_of(fleet), *http, *credentials, program.clock, program.random),
      redis(program.network.redis_client(fleet.redis)),
      code(s3, fleet.bucket, {.folder = program.folder.path() / "bundles"}, program.executor, program.clock),
      workers(*redis, program.clock),
      concurrency(*redis),
      quarantine(*redis, program.clock),
      queue(sqs, fleet.queue_url, code, program.clock, program.executor, program.metrics,
            {.bucket = fleet.bucket,
             .reference_worker_alive = [this] { return workers.reference_worker_alive(); },
             .on_send = std::move(of_queue.on_send)}),
      logs(dynamodb, fleet.logs_table, program.clock),
      configuration(dynamodb, fleet.configuration_table, program.clock,
                    fleet.configuration_table == kConfigurationTable),
      series(configuration, program.clock, program.metrics),
      rows(dynamodb, {.functions = fleet.functions_table, .logs = fleet.logs_table}, program.random),
      code_probe(s3, fleet.bucket),
      queue_probe(sqs, fleet.queue_url),
      logs_probe("logs", dynamodb, fleet.logs_table, {"functionId", "timestamp"}),
      clock_(program.clock) {}

void FleetEngines::start() {
  redis->start();
}

// A stop does not wait long for charts.
Task<void> FleetEngines::finish_series(SteadyTime deadline) {
  constexpr std::chrono::seconds kPatience{5};
  return series.finish(std::min(deadline, clock_.steady_now() + kPatience));
}

Task<void> FleetEngines::keep_series(const std::atomic<bool>& stopping) {
  while (!stopping) {
    co_await clock_.sleep_until(clock_.steady_now() + app::HourlySeries::kInterval);
    if (!configuration.exists()) (void)co_await configuration.look();
    co_await series.write(clock_.steady_now() + app::HourlySeries::kInterval);
  }
}

}  // namespace infra
