// INFRA_SANDBOX=none: a runner as an ordinary child process, for machines that can't isolate. It keeps functions apart
// only as far as folders and process groups do: a private copy of the code, and its own /tmp and /output in temporary
// folders.
#pragma once

#include <atomic>
#include <filesystem>

#include "sandbox/client/plain_commands.h"
#include "sandbox/launcher.h"

namespace infra::sandbox {

class PlainLauncher : public Launcher {
 public:
  struct Options {
    std::filesystem::path versions;  // the worker's versions root
    RunnerFolders runners;
    std::filesystem::path python_packages = {};  // what Python functions can import; empty: nothing
    std::filesystem::path temporary;             // emptied at start; one folder an instance below it
    int capacity = 16;
  };

  // Throws std::filesystem::filesystem_error if the temporary folder can't be made.
  explicit PlainLauncher(Options options);

  Result<std::unique_ptr<Sandbox>> launch(const LaunchRequest& request) override;
  [[nodiscard]] int capacity() const override { return options_.capacity; }

 private:
  Options options_;
  std::atomic<std::uint64_t> launched_ = 0;
};

}  // namespace infra::sandbox
