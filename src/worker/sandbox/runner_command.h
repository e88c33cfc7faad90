// Which program runs a runtime's functions, as an argument list made here from the spawner's own options: nothing a
// client or the unprivileged program says is in it but the sizes of memory and of Node.js's pool of threads.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "core/function.h"
#include "worker/sandbox/launcher.h"
#include "worker/sandbox/spawner.h"
#include "worker/sandbox/stock.h"

namespace infra::worker {

inline constexpr std::size_t kMaxArguments = 8;

struct RunnerCommand {
  std::vector<std::string> arguments;  // the first is the program; at most kMaxArguments
};

// The folder that a sandbox for `runtime` has as /runtime.
[[nodiscard]] std::filesystem::path runner_folder(const SpawnerOptions& options, LaunchPurpose purpose,
                                                  Runtime runtime);

// `unavailable` if this machine lacks the runtime or it can't be seen from a sandbox.
[[nodiscard]] Result<RunnerCommand> launch_command(const SpawnerOptions& options, const SandboxKind& kind);

}  // namespace infra::worker
