// The real one, by Asio's sockets and Beast's parser on the event loops.
#pragma once

#include <cstdint>
#include <memory>

#include "net/http/http_server.h"
#include "net/loops/event_loops.h"

namespace infra::net {

// Its loops must outlive it. The destructor closes it, too.
class BeastHttpServer final : public HttpServer {
 public:
  BeastHttpServer(EventLoops& loops, HttpServerOptions options, Handler handler, ErrorHandler error_handler);
  ~BeastHttpServer() override;
  BeastHttpServer(const BeastHttpServer&) = delete;
  BeastHttpServer& operator=(const BeastHttpServer&) = delete;

  Result<void> start() override;  // SO_REUSEADDR, never SO_REUSEPORT
  // Serves a socket that is bound and listening already (the AI proxy's), in place of start(). Owns it from here on.
  Result<void> start_on(int listening_socket);
  [[nodiscard]] std::uint16_t port() const override;

  void stop_accepting() override;
  Task<bool> drained(SteadyTime deadline) override;
  [[nodiscard]] std::size_t requests_in_flight() const override;
  [[nodiscard]] std::uint64_t accepted() const;  // connections since the start
  [[nodiscard]] ConnectionTable::Count connections() const;
  [[nodiscard]] std::uint64_t buffered_bytes() const;  // of bodies
  void close() override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace infra::net
