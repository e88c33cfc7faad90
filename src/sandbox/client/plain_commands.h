// The commands that start a runtime's runner or builder without a sandbox.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/runtime.h"

namespace infra::sandbox {

// Where the runners are.
struct RunnerFolders {
  std::filesystem::path runtimes;  // holds a folder for each interpreted runtime
  std::filesystem::path native;    // holds the compiled functions' `runner`
};

// The command that compiles a runtime's source without a sandbox.
[[nodiscard]] std::vector<std::string> builder_command(Runtime runtime, const RunnerFolders& folders);

// The command that starts a runtime's runner without a sandbox; `thread_pool` as a launch asks for it.
[[nodiscard]] std::vector<std::string> runner_command(Runtime runtime, const RunnerFolders& folders, int thread_pool);

}  // namespace infra::sandbox
