#include "main/fleet_engines.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "adapters/aws/auth/credential_chain.h"

namespace infra {
namespace {

// China's regions have a domain of their own.
std::string service_endpoint(const std::string& given, std::string_view service, const std::string& region) {
  if (!given.empty()) return given;
  return fmt::format("https://{}.{}.amazonaws.com{}", service, region, region.starts_with("cn-") ? ".cn" : "");
}

// scheme://host:port of a queue's URL.
std::string origin_of(const std::string& url) {
  return url.substr(0, url.find('/', url.find("://") + 3));
}

// A name with dots matches no certificate of a host of its own.
std::string bucket_endpoint(const FleetConfig& fleet) {
  if (!fleet.s3_endpoint.empty() || fleet.bucket.contains('.')) {
    return service_endpoint(fleet.s3_endpoint, "s3", fleet.region);
  }
  return service_endpoint("", fleet.bucket + ".s3", fleet.region);
}

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
      s3({"s3", fleet.region, bucket_endpoint(fleet)}, *http, *credentials, program.clock, program.random),
      sqs({"sqs", fleet.region, fleet.sqs_endpoint.empty() ? origin_of(fleet.queue_url) : fleet.sqs_endpoint}, *http,
          *credentials, program.clock, program.random),
      dynamodb({"dynamodb", fleet.region, service_endpoint(fleet.dynamodb_endpoint, "dynamodb", fleet.region)}, *http,
               *credentials, program.clock, program.random),
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
      recorder(dynamodb, {.functions = fleet.functions_table, .logs = fleet.logs_table}, program.random),
      code_probe(s3, fleet.bucket),
      queue_probe(sqs, fleet.queue_url),
      logs_probe("logs", dynamodb, fleet.logs_table, {"functionId", "timestamp"}) {}

void FleetEngines::start() {
  redis->start();
}

}  // namespace infra
