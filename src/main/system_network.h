// The real network, on the event loops.
#pragma once

#include "main/network.h"
#include "net/loops/event_loops.h"

namespace infra {

// The loops must outlive it.
class SystemNetwork final : public ProgramNetwork {
 public:
  explicit SystemNetwork(net::EventLoops& loops) : loops_(loops) {}

  std::unique_ptr<net::HttpClient> http_client() override;
  std::unique_ptr<net::RedisClient> redis_client(const net::RedisOptions& options) override;
  std::unique_ptr<net::RedisSubscriber> redis_subscriber(const net::RedisOptions& options,
                                                         net::RedisSubscription wanted) override;
  std::unique_ptr<net::HttpServer> http_server(net::HttpServerOptions options, net::Handler handler,
                                               net::ErrorHandler error_handler) override;
  std::unique_ptr<AiProxy> ai_proxy(net::HttpClient& http, Clock& clock, std::string node_url) override;
  void run_blocking(Task<void> task) override;
  void stop() override;

 private:
  net::EventLoops& loops_;
};

}  // namespace infra
