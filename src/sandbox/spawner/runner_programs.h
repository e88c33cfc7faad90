// Which program runs a runtime's functions, as an argument list made here from the spawner's own options: nothing a
// client or the unprivileged program says is in it but the sizes of memory and of a pool of threads.
#pragma once

#include <filesystem>

#include "core/error.h"
#include "core/runtime.h"
#include "sandbox/inside/runner_command.h"
#include "sandbox/protocol/spawner_options.h"
#include "sandbox/spawner/sandbox_kind.h"

namespace infra::sandbox {

// The folder that a sandbox for `runtime` has as /runtime.
[[nodiscard]] std::filesystem::path runner_folder(const SpawnerOptions& options, LaunchPurpose purpose,
                                                  Runtime runtime);

// `unavailable` if this machine lacks the runtime or it can't be seen from a sandbox.
[[nodiscard]] Result<RunnerCommand> launch_command(const SpawnerOptions& options, const SandboxKind& kind);

}  // namespace infra::sandbox
