// This worker's facts of each runtime: the one place to look when a runtime is added.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/function.h"

namespace infra::sandbox {

// Where the runners are.
struct RunnerFolders {
  std::filesystem::path runtimes;  // holds python/runner.py and nodejs/runner.js
  std::filesystem::path native;    // holds the compiled functions' `runner`
};

// The command that compiles a runtime's source without a sandbox.
[[nodiscard]] std::vector<std::string> builder_command(Runtime runtime, const RunnerFolders& folders);

// The command that starts a runtime's runner without a sandbox; `thread_pool` as a launch asks for it.
[[nodiscard]] std::vector<std::string> runner_command(Runtime runtime, const RunnerFolders& folders, int thread_pool);

}  // namespace infra::sandbox
