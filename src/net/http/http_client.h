// Outgoing HTTP(S), with a deadline on every call.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/byte_source.h"
#include "core/error.h"
#include "core/task.h"
#include "core/time.h"
#include "net/http/http_types.h"

namespace infra::net {

inline constexpr std::size_t kBodyPieceBytes = std::size_t{64} * 1024;

struct ClientRequest {
  std::string method = "GET";
  std::string url{};
  Headers headers{};
  std::string body{};
  // Sent in place of `body`, without a copy; the caller keeps it until send() has returned.
  std::string_view borrowed_body{};
  // If set, what it opens is the body: read as the peer takes it, kBodyPieceBytes at a time and not past its size().
  // Opened anew where the request has to begin anew, on a connection that turned out to be dead. A read that fails is
  // the call's error; one that comes to an end too early, too: `conflict` (code http_body_short).
  std::function<ByteSourcePtr()> open_body{};
  milliseconds timeout{10'000};  // connect to last byte
  milliseconds connect_timeout{2'000};
  std::uint64_t max_response_bytes = 64 * 1024 * 1024;
  // If set, gets the body piece by piece as it arrives, on the caller's event thread, in place of Response::body;
  // returning false aborts the call. `on_header` (optional) gets the status and headers before the first piece.
  std::function<bool(std::string_view piece)> on_body{};
  std::function<void(const Response& head)> on_header{};
};

// Any thread that runs coroutines; resumes there.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Any status is an answer; an error is `unavailable` (no connection, so that nothing was sent: code http_unreachable;
  // broken off: http_unavailable), `timeout` (code http_timeout) or `too_large`. Follows no redirects, uses no proxy
  // from the environment, speaks http and https only.
  virtual Task<Result<Response>> send(ClientRequest request) = 0;
};

}  // namespace infra::net
