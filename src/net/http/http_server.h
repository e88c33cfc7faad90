// The HTTP/1.1 server: connections, framing, limits and time-outs. It knows no routes; a handler answers each request.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/limits.h"
#include "core/task.h"
#include "core/time.h"
#include "net/http/connection_table.h"
#include "net/http/http_types.h"
#include "net/http/patience.h"
#include "net/http/tls.h"
#include "telemetry/overload.h"

namespace infra::net {

// Runs on the connection's event thread. It may answer before it has read the body: the answer is sent at once, what is
// left of the body is read and dropped (at most 64 MiB and 10 s), and then the connection closes. What it throws
// becomes a 500.
using Handler = std::function<Task<Response>(Request&)>;

// Answers a request that could not be parsed (`invalid`), has too large a header (`too_large`) or came too slowly
// (`timeout`); also what a handler that threw is answered with (`internal`).
using ErrorHandler = std::function<Response(const Error&)>;

struct HttpServerOptions {
  std::string address = "127.0.0.1";  // "0.0.0.0", "::" (both families)
  std::uint16_t port = 0;             // 0: any free one
  int bound_socket = -1;              // of bind_listener(), which start() then takes in place of binding one
  std::size_t max_header_bytes = 32 * 1024;
  ConnectionLimits connections{};
  milliseconds first_request_timeout{10'000};     // from a connection's beginning to the end of its first header
  milliseconds header_timeout{10'000};            // from the first byte of a later request to the end of its header
  milliseconds idle_timeout{75'000};              // between requests; longer than load balancers' 60 s
  Pace pace{};                                    // of bodies, both ways
  Pace hurried_pace = kHurriedPace;               // of the slow, while memory or connections are short
  std::uint64_t body_bytes = 128 * limits::kMiB;  // of all bodies that are kept in memory at once
  milliseconds body_bytes_timeout{30'000};        // for those that find no room
  std::shared_ptr<const TlsPort> tls{};           // null: plain HTTP
  Overload* overload = nullptr;                   // told of connections and bytes, and obeyed; outlives the connections
  std::function<Task<void>()> before_accept{};    // awaited before each connection is taken; may be empty
  // A connection was closed that had done nothing wrong by itself: "share", "table" or "reserve" for another one,
  // "slow" for what it did not send or read. Any thread, no blocking.
  std::function<void(std::string_view why)> on_closed{};
};

// After close() handlers that run go on to their end, so what they use must outlive whatever runs them.
class HttpServer {
 public:
  virtual ~HttpServer() = default;

  // Binds and listens. `unavailable` with a sentence naming the port and why.
  virtual Result<void> start() = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;

  // Stops accepting; idle connections close, streams end; requests in flight are answered with "Connection: close". Any
  // thread.
  virtual void stop_accepting() = 0;
  // True once no request is in flight and all connections are closed; false at the deadline. Any event thread, one
  // caller.
  virtual Task<bool> drained(SteadyTime deadline) = 0;
  [[nodiscard]] virtual std::size_t requests_in_flight() const = 0;
  // Closes everything now. Any non-event thread.
  virtual void close() = 0;
};

}  // namespace infra::net
