// Holds the rate limiter against its definition (docs/http-api.md): of an address never more than the limit in any
// window, closed at both ends, and no refusal while there is room in it. A program knows nothing of the windows of the
// one before it: on one machine they are in memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/time.h"
#include "platform/client.h"

namespace infra::sim {

class RateOracle {
 public:
  // A limit of 0: there is none, and nothing to be said.
  RateOracle(int limit, std::chrono::seconds window) : limit_(limit), window_(window) {}

  // What came back to a request that counts, in any order of requests.
  void note(int number, const std::string& address, const Answer& answer);
  // What does not go together, once all requests are over.
  [[nodiscard]] std::vector<std::string> complaints() const;

 private:
  enum class Said : std::uint8_t { admitted, refused, nothing };
  struct Request {
    int number = 0;
    std::string address;
    Arrival arrival;
    Said said = Said::nothing;
  };

  const int limit_;
  const std::chrono::seconds window_;
  std::vector<Request> requests_;
};

}  // namespace infra::sim
