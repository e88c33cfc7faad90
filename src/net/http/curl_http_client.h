// The real one, by libcurl's multi interface on the event loops: pooled keep-alive connections.
#pragma once

#include <memory>

#include "net/http/http_client.h"
#include "net/loops/event_loops.h"

namespace infra::net {

class CurlHttpClient final : public HttpClient {
 public:
  explicit CurlHttpClient(EventLoops& loops);
  ~CurlHttpClient() override;
  CurlHttpClient(const CurlHttpClient&) = delete;
  CurlHttpClient& operator=(const CurlHttpClient&) = delete;

  // From an event thread alone.
  Task<Result<Response>> send(ClientRequest request) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace infra::net
