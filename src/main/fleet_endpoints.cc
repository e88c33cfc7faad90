#include "main/fleet_endpoints.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

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

}  // namespace

aws::AwsService s3_of(const FleetConfig& fleet) {
  return {.name = "s3", .region = fleet.region, .endpoint = bucket_endpoint(fleet)};
}

aws::AwsService sqs_of(const FleetConfig& fleet) {
  if (fleet.queue_url.empty())
    return {
        .name = "sqs", .region = fleet.region, .endpoint = service_endpoint(fleet.sqs_endpoint, "sqs", fleet.region)};
  return {.name = "sqs",
          .region = fleet.region,
          .endpoint = fleet.sqs_endpoint.empty() ? origin_of(fleet.queue_url) : fleet.sqs_endpoint};
}

aws::AwsService dynamodb_of(const FleetConfig& fleet) {
  return {.name = "dynamodb",
          .region = fleet.region,
          .endpoint = service_endpoint(fleet.dynamodb_endpoint, "dynamodb", fleet.region)};
}

}  // namespace infra
