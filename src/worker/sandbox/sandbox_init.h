// The first process of a sandbox: prepares it, waits parked until it learns which function it is for, gives up every
// privilege, starts the runner and reaps for it. It is never the user's code, and the user's code can't reach it.
#pragma once

#include <string>
#include <vector>

#include "worker/sandbox/seccomp_filter.h"
#include "worker/sandbox/spawner.h"

namespace infra::worker {

struct SandboxPlan {
  const SpawnerOptions& options;
  const SeccompProgram& seccomp;
  int slot = 0;
  std::vector<std::string> join_files;  // of CgroupSlots
};

// In the new process, as real root in new mount, pid, net, ipc and uts namespaces. `report` is its socket to the
// spawner. Ends with _exit(), which takes every process of the sandbox with it.
[[noreturn]] void run_sandbox_init(const SandboxPlan& plan, int report);

}  // namespace infra::worker
