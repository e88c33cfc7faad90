// The first process of a sandbox: prepares it, has the runtime's runner started in it, waits parked until it learns
// which function it is for, gives up every privilege and reaps for the runner. It is never the user's code, and the
// user's code can't reach it.
#pragma once

#include <string>
#include <vector>

#include "worker/sandbox/runner_command.h"
#include "worker/sandbox/sandbox_network.h"
#include "worker/sandbox/seccomp_filter.h"
#include "worker/sandbox/spawner.h"

namespace infra::worker {

struct SandboxPlan {
  const SpawnerOptions& options;
  const SeccompPrograms& seccomp;
  int slot = 0;
  LaunchPurpose purpose = LaunchPurpose::run;
  int root_template = -1;               // RootTemplates'
  std::vector<std::string> join_files;  // of CgroupSlots; empty if init is in its groups already, or is not to be
  RunnerCommand command;                // what the runner executes
  bool runner_is_forked = false;        // then the spawner is asked for a process that the zygote forks
  std::optional<NetworkPlan> network{};
};

// In the new process, as real root in new mount, pid, net, ipc and uts namespaces. `report` is its socket to the
// spawner, `machine` that of join_network(), if there is a plan for it. Ends with _exit(), which takes every process of
// the sandbox with it.
[[noreturn]] void run_sandbox_init(const SandboxPlan& plan, int report, int machine = -1);

}  // namespace infra::worker
