// What a sandbox has sent and received.
#pragma once

#include <cstdint>

namespace infra::sandbox {

struct NetworkBytes {
  std::int64_t received = 0;  // by the sandbox
  std::int64_t sent = 0;
};
// Since the sandbox began; nothing if it has no network (-1).
[[nodiscard]] NetworkBytes read_network_bytes(int counters);

}  // namespace infra::sandbox
