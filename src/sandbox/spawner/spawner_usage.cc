// What a sandbox has used, as its spawner sees it.
#include <algorithm>

#include "sandbox/protocol/network_bytes.h"
#include "sandbox/protocol/state_probe.h"
#include "sandbox/spawner/spawner_process.h"

namespace infra::sandbox {

SandboxUsage SpawnerProcess::used_in_all(std::size_t index) const {
  SandboxUsage used = cgroups_.usage(static_cast<int>(index));
  if (slots_[index].disk.valid()) used.disk_read_bytes = read_disk_bytes(slots_[index].disk);
  return used;
}

SandboxUsage SpawnerProcess::usage(std::size_t index) const {
  SandboxUsage used = used_in_all(index);
  const NetworkBytes bytes = read_network_bytes(slots_[index].counters.get());
  used.network_rx = bytes.received;
  used.network_tx = bytes.sent;
  used.cpu_us -= std::min(used.cpu_us, slots_[index].prepared.cpu_us);
  used.disk_read_bytes -= std::min(used.disk_read_bytes, slots_[index].prepared.disk_read_bytes);
  return used;
}

}  // namespace infra::sandbox
