#include "platform/engines/aws/simulated_aws.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "platform/engines/aws/aws_answers.h"

namespace infra::simulation {
namespace {

void complain_and_end(const std::string& words) {
  fmt::print(stderr, "simulated AWS: {}\n", words);
  std::abort();
}

}  // namespace

SimulatedAws::SimulatedAws(Clock& clock, Random& random, std::function<void(const std::string&)> complain)
    : context_{.clock = clock, .dice = Dice(random)} {
  context_.complain = complain ? std::move(complain) : complain_and_end;
}

SimulatedSqs& SimulatedAws::sqs() {
  catch_up();
  return sqs_;
}

SimulatedDynamoDb& SimulatedAws::dynamodb() {
  catch_up();
  return dynamodb_;
}

SimulatedS3& SimulatedAws::s3() {
  catch_up();
  return s3_;
}

std::string SimulatedAws::endpoint(std::string_view service) {
  return fmt::format("https://{}.{}.amazonaws.com", service, kRegion);
}

SimulatedService* SimulatedAws::service_at(std::string_view host) {
  if (!host.ends_with(".amazonaws.com")) return nullptr;
  if (host.starts_with("sqs.")) return &sqs_;
  if (host.starts_with("dynamodb.")) return &dynamodb_;
  if (host.starts_with("s3.") || host.contains(".s3.")) return &s3_;
  return nullptr;
}

std::optional<Refusal> SimulatedAws::check(const SimulatedService& service, const ServiceRequest& request) const {
  if (!request.headers.find("Authorization")) {
    return Refusal{.status = 403, .name = "MissingAuthenticationToken", .message = "Request is not signed"};
  }
  const auto date = read_amz_date(request.headers.find("x-amz-date").value_or(""));
  if (!date) return Refusal{.status = 403, .name = "IncompleteSignature", .message = "Request has no x-amz-date"};
  return service.refuse_date(*date - context_.clock.now());
}

net::Response SimulatedAws::carry_out(SimulatedService& service, const ServiceRequest& request) {
  catch_up();
  const auto refused = check(service, request);
  auto response = refused ? service.refusal(*refused) : service.answer(request);
  response.headers.set("Date", http_date(context_.clock.now()));
  return response;
}

void SimulatedAws::carry_out_later(SimulatedService& service, ServiceRequest request, SteadyTime when) {
  late_.emplace(when, Late{.service = &service, .request = std::move(request)});
  context_.changed();  // who waits looks again when it comes
}

void SimulatedAws::catch_up() {
  while (!late_.empty() && late_.begin()->first <= context_.now()) {
    const auto late = late_.extract(late_.begin());
    const auto& [service, request] = late.mapped();
    if (!check(*service, request)) (void)service->answer(request);
  }
}

std::optional<SteadyTime> SimulatedAws::next_late() const {
  return late_.empty() ? std::nullopt : std::optional(late_.begin()->first);
}

}  // namespace infra::simulation
