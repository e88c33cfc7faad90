// The functions' only way to the AI node: an HTTP endpoint on a socket that listens inside their own sandbox. Engine:
// Ollama.
#pragma once

#include <cstdint>
#include <memory>

namespace infra {

// One instance's endpoint. Destroying it stops answering and closes the socket.
class AiEndpoint {
 public:
  virtual ~AiEndpoint() = default;
  // Tokens (prompt_eval_count + eval_count of the node's answers) since the last call of this. Any thread.
  virtual std::int64_t take_tokens() = 0;
  // How many connections it has taken so far. Any thread.
  [[nodiscard]] virtual std::uint64_t connections() const = 0;
};

class AiProxy {
 public:
  virtual ~AiProxy() = default;
  // Serves POST /api/generate and /api/chat on `listening_socket` (a bound, listening TCP socket; owned from here on).
  // Any thread.
  [[nodiscard]] virtual std::unique_ptr<AiEndpoint> serve(int listening_socket) = 0;
};

}  // namespace infra
