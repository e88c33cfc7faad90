// Outgoing HTTP(S) for a program that does one thing at a time, the command line: the caller's thread waits, and there
// are no event threads. Servers use http_client.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/time.h"
#include "net/http/http_types.h"

namespace infra::net {

struct BlockingCall {
  std::string method = "GET";
  std::string url{};
  Headers headers{};
  std::string body{};
  // If set, gives the body in place of `body`: fills the front of what it is given, 0 at the end. Its size need not be
  // known: it is sent in chunks. Its error is the call's.
  std::function<Result<std::size_t>(std::span<char>)> read_body{};
  milliseconds timeout{30'000};  // connect to last byte
  milliseconds connect_timeout{5'000};
  std::uint64_t max_response_bytes = 64 * 1024 * 1024;
  // If set, gets the body of a 2xx answer as it arrives, in place of Response::body; false aborts the call.
  std::function<bool(std::string_view)> on_body{};
  // If set, is called about once a second until the answer is whole; false aborts the call. Another client may be used
  // in it.
  std::function<bool()> meanwhile{};
};

// One thread's. A connection is kept for the next call.
class BlockingHttpClient {
 public:
  // `ca_file`: authorities in PEM that HTTPS is verified against, in place of the system's; empty: the system's.
  explicit BlockingHttpClient(std::string ca_file = {});
  ~BlockingHttpClient();
  BlockingHttpClient(const BlockingHttpClient&) = delete;
  BlockingHttpClient& operator=(const BlockingHttpClient&) = delete;

  // As HttpClient::send: any status is an answer; an error is http_unreachable, http_untrusted, http_unavailable,
  // http_timeout, http_too_large or http_invalid_request. Follows no redirects. The environment's proxies are used,
  // except for hosts of this machine.
  [[nodiscard]] Result<Response> send(const BlockingCall& call);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace infra::net
