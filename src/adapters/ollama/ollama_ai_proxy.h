// The functions' way to an Ollama node: a small HTTP server on each sandbox's own socket that passes on generations,
// and only those, within bounds. Tokens are counted here from the node's own answers, where a function can't forge
// them.
#pragma once

#include <memory>
#include <string>

#include "core/token_bucket.h"
#include "net/http/http_client.h"
#include "net/loops/event_loops.h"
#include "ports/ai_proxy.h"
#include "ports/clock.h"

namespace infra {

// The limits of one endpoint.
struct AiProxyLimits {
  std::uint64_t max_request_bytes = 1024 * 1024;
  std::uint64_t max_answer_bytes = 4 * 1024 * 1024;
  int max_concurrent = 4;
  int max_per_minute = 60;
  // Of requests whatever they ask, and of connections: what is beyond is neither accepted nor read until its turn.
  TokenPace requests{.burst = 60, .interval = milliseconds(100)};
  milliseconds max_generation{900'000};  // as long as a function may run
};

class ServerCount;  // of endpoints whose servers are not closed yet

class OllamaAiProxy final : public AiProxy {
 public:
  // All are borrowed, by the endpoints too: they go first, then this, then the loops may stop.
  OllamaAiProxy(net::EventLoops& loops, net::HttpClient& http, Clock& clock, std::string node_url,
                AiProxyLimits limits = {});

  // Waits until the last endpoint's server is closed, so not on an event thread.
  ~OllamaAiProxy() override;
  OllamaAiProxy(const OllamaAiProxy&) = delete;
  OllamaAiProxy& operator=(const OllamaAiProxy&) = delete;

  [[nodiscard]] std::unique_ptr<AiEndpoint> serve(int listening_socket) override;

 private:
  net::EventLoops& loops_;
  net::HttpClient& http_;
  Clock& clock_;
  std::string node_url_;
  AiProxyLimits limits_;
  std::shared_ptr<ServerCount> servers_;
};

}  // namespace infra
