// A sandbox's consumption and content.
#pragma once

#include <cstdint>

namespace infra::sandbox {

struct SandboxUsage {
  std::int64_t cpu_us = 0;             // since the sandbox started
  std::int64_t peak_memory_bytes = 0;  // since the last reset_peak()
  std::int64_t network_rx = 0;         // bytes since the sandbox started; 0 without egress
  std::int64_t network_tx = 0;
  std::int64_t disk_read_bytes = 0;  // from block devices, since it has a function; without a group
                                     // that counts them, of its runner alone and 0 at its end
};

// A sandbox's content at a moment.
struct SandboxState {
  int processes = 0;     // beside init and the runner, or threads of such processes
  int threads = 0;       // of the runner; 0 once it has ended
  int sockets = 0;       // internet sockets in its network, both ends where both are in there; the AI listener counts
  int disk_percent = 0;  // of /tmp, /workspace and /dev/shm the fullest: blocks or files, whichever is scarcer
  std::int64_t scratch_bytes = 0;  // what lies in these three
  std::int64_t output_bytes = 0;   // and in /output
};

}  // namespace infra::sandbox
