// S3, SQS and DynamoDB in memory, behind net::HttpClient: what the services promise and nothing more. All simulated
// processes share one; each reaches it by a SimulatedHttpClient of its own.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "platform/engines/aws/aws_context.h"
#include "platform/engines/aws/simulated_dynamodb.h"
#include "platform/engines/aws/simulated_s3.h"
#include "platform/engines/aws/simulated_sqs.h"

namespace infra::simulation {

// One OS thread. Outlives its clients and their calls.
class SimulatedAws {
 public:
  static constexpr std::string_view kRegion = "eu-central-1";

  // `clock` is the services' own, which those of the machines may drift from. `complain` hears of requests that are not
  // simulated; without it the program says so and ends.
  SimulatedAws(Clock& clock, Random& random, std::function<void(const std::string&)> complain = {});
  SimulatedAws(const SimulatedAws&) = delete;
  SimulatedAws& operator=(const SimulatedAws&) = delete;

  [[nodiscard]] AwsFaults& faults() { return context_.faults; }
  [[nodiscard]] SimulatedSqs& sqs();
  [[nodiscard]] SimulatedDynamoDb& dynamodb();
  [[nodiscard]] SimulatedS3& s3();

  // As a configuration names them without *_ENDPOINT.
  [[nodiscard]] static std::string endpoint(std::string_view service);

  // The rest is for the clients.

  [[nodiscard]] AwsContext& context() { return context_; }
  // Null if no service has this host.
  [[nodiscard]] SimulatedService* service_at(std::string_view host);
  // As the service does on receipt: what is unsigned or has a wrong date is refused.
  [[nodiscard]] net::Response carry_out(SimulatedService& service, const ServiceRequest& request);
  // One that its sender has given up and that is on its way still.
  void carry_out_later(SimulatedService& service, ServiceRequest request, SteadyTime when);
  // Those whose time has come: before anything else is carried out or looked at.
  void catch_up();
  [[nodiscard]] std::optional<SteadyTime> next_late() const;

 private:
  struct Late {
    SimulatedService* service;
    ServiceRequest request;
  };
  [[nodiscard]] std::optional<Refusal> check(const SimulatedService& service, const ServiceRequest& request) const;

  AwsContext context_;
  SimulatedSqs sqs_{context_};
  SimulatedDynamoDb dynamodb_{context_};
  SimulatedS3 s3_{context_};
  std::multimap<SteadyTime, Late> late_;
};

}  // namespace infra::simulation
