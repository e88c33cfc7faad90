// The ProgramNetwork of a simulated program: its server keeps the handler for clients of the same world to call, and
// what it calls itself are simulated engines.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "main/network.h"
#include "net/http/http_types.h"
#include "platform/virtual_executor.h"

namespace infra::sim {

class VirtualServer;

// Where a machine is reached from outside; programs of it come and go.
struct Door {
  VirtualServer* server = nullptr;  // null: nobody listens
  int programs = 0;                 // that ever listened
  std::uint64_t arrivals = 0;       // of requests, at all of them
};

// When a program saw a request first, by its own clock.
struct Arrival {
  int program = 0;
  SteadyTime at;
  std::uint64_t order = 0;  // of all arrivals
};

// One request on its way, and what comes back: nothing where the connection broke off. Of both sides, either of which
// may be gone first.
struct Exchanged {
  net::Request request;
  std::string body;
  bool over = false;
  std::optional<Arrival> arrival;
  std::optional<net::Response> response;  // its file has been read into its body
  std::shared_ptr<Signal> ended;          // of the client's clock

  void end(std::optional<net::Response> with);
};

class VirtualServer final : public net::HttpServer {
 public:
  VirtualServer(Door& door, VirtualExecutor& executor, VirtualClock& clock, net::Handler handler,
                net::ErrorHandler error_handler)
      : door_(door),
        executor_(executor),
        clock_(clock),
        handler_(std::move(handler)),
        error_handler_(std::move(error_handler)) {}
  ~VirtualServer() override { VirtualServer::close(); }
  VirtualServer(const VirtualServer&) = delete;
  VirtualServer& operator=(const VirtualServer&) = delete;

  Result<void> start() override;
  [[nodiscard]] std::uint16_t port() const override { return 8080; }
  void stop_accepting() override { accepting_ = false; }
  Task<bool> drained(SteadyTime deadline) override;
  [[nodiscard]] std::size_t requests_in_flight() const override { return in_flight_.size(); }
  void close() override;

  // A client's. False: the connection was refused.
  bool take(const std::shared_ptr<Exchanged>& exchange);

 private:
  Task<void> answer(std::shared_ptr<Exchanged> exchange);

  Door& door_;
  VirtualExecutor& executor_;
  VirtualClock& clock_;
  const net::Handler handler_;
  const net::ErrorHandler error_handler_;
  bool accepting_ = false;
  int program_ = 0;
  std::vector<std::shared_ptr<Exchanged>> in_flight_;
  std::shared_ptr<Signal> emptied_;
};

// What a program calls. Those that are empty reach nobody.
struct SimulatedEngines {
  std::function<std::unique_ptr<net::HttpClient>()> http{};
  std::function<std::unique_ptr<net::RedisClient>(const net::RedisOptions&)> redis{};
  std::function<std::unique_ptr<net::RedisSubscriber>(const net::RedisOptions&, net::RedisSubscription)> subscriber{};
};

class VirtualNetwork final : public ProgramNetwork {
 public:
  // All must outlive it.
  VirtualNetwork(Door& door, VirtualExecutor& executor, VirtualClock& clock, SimulatedEngines engines = {})
      : door_(door), executor_(executor), clock_(clock), engines_(std::move(engines)) {}

  std::unique_ptr<net::HttpClient> http_client() override;
  std::unique_ptr<net::RedisClient> redis_client(const net::RedisOptions& options) override;
  std::unique_ptr<net::RedisSubscriber> redis_subscriber(const net::RedisOptions& options,
                                                         net::RedisSubscription wanted) override;
  std::unique_ptr<net::HttpServer> http_server(net::HttpServerOptions options, net::Handler handler,
                                               net::ErrorHandler error_handler) override;
  std::unique_ptr<AiProxy> ai_proxy(net::HttpClient&, Clock&, std::string) override { return nullptr; }
  void run_blocking(Task<void> task) override { executor_.run_blocking(std::move(task)); }
  void stop() override { executor_.stop(); }

 private:
  Door& door_;
  VirtualExecutor& executor_;
  VirtualClock& clock_;
  const SimulatedEngines engines_;
};

}  // namespace infra::sim
