// Where a program meets others: whatever has a socket is made here, and so are the event threads under it. With the
// clock, the executor, the randomness and the launcher this is all that a simulation pretends, in one process.
#pragma once

#include <memory>
#include <string>

#include "core/task.h"
#include "net/http/http_client.h"
#include "net/http/http_server.h"
#include "net/redis/redis_client.h"
#include "net/redis/redis_subscriber.h"
#include "ports/ai_proxy.h"
#include "ports/clock.h"

namespace infra {

// Outlives what it makes. For the main thread.
class ProgramNetwork {
 public:
  virtual ~ProgramNetwork() = default;

  [[nodiscard]] virtual std::unique_ptr<net::HttpClient> http_client() = 0;
  // Both throw std::runtime_error if the options' `ca_file` can't be read.
  [[nodiscard]] virtual std::unique_ptr<net::RedisClient> redis_client(const net::RedisOptions& options) = 0;
  [[nodiscard]] virtual std::unique_ptr<net::RedisSubscriber> redis_subscriber(const net::RedisOptions& options,
                                                                               net::RedisSubscription wanted) = 0;
  [[nodiscard]] virtual std::unique_ptr<net::HttpServer> http_server(net::HttpServerOptions options,
                                                                     net::Handler handler,
                                                                     net::ErrorHandler error_handler) = 0;
  // Null: functions reach no AI node. What it borrows must outlive it.
  [[nodiscard]] virtual std::unique_ptr<AiProxy> ai_proxy(net::HttpClient& http, Clock& clock,
                                                          std::string node_url) = 0;

  // Runs the task on an event thread, and blocks the calling one until it is done.
  virtual void run_blocking(Task<void> task) = 0;
  // The event threads end: coroutines that still wait are destroyed.
  virtual void stop() = 0;
};

}  // namespace infra
