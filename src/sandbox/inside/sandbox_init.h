// The first process of a sandbox: prepares it, has the runtime's runner started in it, waits parked until it learns
// which function it is for, gives up every privilege and reaps for the runner. It is never the user's code, and the
// user's code can't reach it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/inside/runner_command.h"
#include "sandbox/inside/sandbox_network.h"
#include "sandbox/inside/sandbox_root.h"
#include "sandbox/inside/seccomp_filter.h"
#include "sandbox/protocol/launch_purpose.h"
#include "sandbox/protocol/spawner_options.h"

namespace infra::sandbox {

struct SandboxPlan {
  const SpawnerOptions& options;
  const SeccompPrograms& seccomp;
  int slot = 0;
  LaunchPurpose purpose = LaunchPurpose::run;
  int root_template = -1;  // RootTemplates'
  const ProcCovers& proc;
  std::vector<std::string> join_files;  // of CgroupSlots; empty if init is in its groups already, or is not to be
  RunnerCommand command;                // what the runner executes
  bool runner_is_forked = false;        // then the spawner is asked for a process that the zygote forks
  std::optional<NetworkPlan> network{};
};

// In the new process, as real root in new mount, pid, net, ipc and uts namespaces. `report` is its socket to the
// spawner, `machine` that of join_network(), if there is a plan for it. Ends with _exit(), which takes every process of
// the sandbox with it.
[[noreturn]] void run_sandbox_init(const SandboxPlan& plan, int report, int machine = -1);

}  // namespace infra::sandbox
