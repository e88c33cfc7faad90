// What this worker knows of each runtime: the one place to look when a runtime is added.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/function.h"

namespace infra::worker {

[[nodiscard]] bool can_run(Runtime runtime);

// The command that starts a runtime's runner without a sandbox. Only for runtimes that can_run().
[[nodiscard]] std::vector<std::string> runner_command(Runtime runtime, const std::filesystem::path& runtimes);

}  // namespace infra::worker
