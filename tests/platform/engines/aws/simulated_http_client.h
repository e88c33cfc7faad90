// One simulated process's way to the simulated AWS: time, loss and crashes between it and the services.
#pragma once

#include <list>
#include <string>
#include <string_view>

#include "net/http/http_client.h"
#include "platform/engines/aws/simulated_aws.h"

namespace infra::simulation {

// One OS thread. Calls that wait may be destroyed with their coroutines at any time; it outlives them.
class SimulatedHttpClient final : public net::HttpClient {
 public:
  // `clock` is the process's machine's. `others` gets what goes to no AWS host; without it that is complained of.
  SimulatedHttpClient(SimulatedAws& aws, Clock& clock, net::HttpClient* others = nullptr)
      : aws_(aws), clock_(clock), others_(others) {}

  Task<Result<net::Response>> send(net::ClientRequest request) override;

  // The process ends here: what is under way is carried out or not, as the seed says, and from now on every call fails
  // without effect, those that still wait included.
  void crash();
  [[nodiscard]] bool crashed() const { return crashed_; }

 private:
  // A request between the process and its service.
  struct Flight {
    SimulatedService& service;
    ServiceRequest request;
    SteadyTime deadline;      // the process's clock
    SteadyTime arrived{};     // AWS's clock, once it waits there
    bool is_waiting = false;  // at the service
    bool is_over = false;     // carried out, or it never will be
  };
  class Boarding;
  struct Journey;

  Task<Result<net::Response>> fly(Flight& flight, Journey journey, const net::ClientRequest& wanted);
  // False if `until` (this process's clock) passed first, or the process has crashed.
  Task<bool> travel(milliseconds time, SteadyTime until);
  Task<bool> wait_at_service(Flight& flight);
  Task<Result<net::Response>> give_up(Flight& flight);
  Task<Result<net::Response>> hand_over(Flight& flight, net::Response response, const net::ClientRequest& wanted);
  [[nodiscard]] Journey draw(const Flight& flight);
  [[nodiscard]] std::unexpected<Error> broken_off(const Flight& flight) const;

  SimulatedAws& aws_;
  Clock& clock_;
  net::HttpClient* const others_;
  std::list<Flight*> flights_;  // in the order of their sending
  bool crashed_ = false;
};

}  // namespace infra::simulation
