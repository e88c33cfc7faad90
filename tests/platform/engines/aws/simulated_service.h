// A simulated service as a connection to it sees it: requests that are carried out in one step, answers, and refusals
// in the service's own form.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "net/http/http_types.h"
#include "platform/engines/aws/aws_faults.h"

namespace infra::simulation {

struct ServiceRequest {
  std::string method;
  std::string host;   // of the URL, without port
  std::string path;   // percent-encoded
  std::string query;  // percent-encoded
  net::Headers headers;
  std::string body;
  // Of the JSON protocols: "SendMessage", and the body.
  std::string action{};
  boost::json::object fields{};
};

// What a service says no with.
struct Refusal {
  int status = 400;
  std::string name;
  std::string message{};
};

template <typename T>
using Answered = std::expected<T, Refusal>;

[[nodiscard]] inline std::unexpected<Refusal> refuse(int status, std::string name, std::string message = "") {
  return std::unexpected(Refusal{.status = status, .name = std::move(name), .message = std::move(message)});
}

class SimulatedService {
 public:
  virtual ~SimulatedService() = default;
  [[nodiscard]] virtual const ConnectionFaults& faults() const = 0;
  // Nullopt: it can be answered now. Else it waits for a change, until this time at most.
  [[nodiscard]] virtual std::optional<SteadyTime> waits_until(const ServiceRequest& /*request*/,
                                                              SteadyTime /*arrived*/) {
    return std::nullopt;
  }
  // Whoever sent it has gone while it waited.
  virtual void abandon(const ServiceRequest& /*request*/, SteadyTime /*arrived*/) {}
  // Carries it out.
  [[nodiscard]] virtual net::Response answer(const ServiceRequest& request) = 0;
  // Of requests that are not carried out, or after they were.
  [[nodiscard]] virtual net::Response refusal(const Refusal& refusal) const = 0;
  [[nodiscard]] virtual Refusal too_many_requests() const = 0;
  [[nodiscard]] virtual Refusal failure() const = 0;
  // How far a request's date may be from the service's.
  [[nodiscard]] virtual std::optional<Refusal> refuse_date(milliseconds ahead) const = 0;
};

}  // namespace infra::simulation
