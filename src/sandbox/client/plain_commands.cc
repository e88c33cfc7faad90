#include "sandbox/client/plain_commands.h"

#include "sandbox/protocol/python_command.h"

namespace infra::sandbox {

std::vector<std::string> runner_command(Runtime runtime, const RunnerFolders& folders, int thread_pool) {
  switch (runtime) {
    case Runtime::python:
      return python_command(std::string(kPython), folders.runtimes / "python/runner.py");
    case Runtime::nodejs: {
      std::vector<std::string> command = {"/usr/bin/node", folders.runtimes / "nodejs/runner.js"};
      if (thread_pool > 0) command.push_back(std::to_string(thread_pool));
      return command;
    }
    case Runtime::cpp:
    case Runtime::go:
      return {folders.native / "runner"};
  }
  return {};
}

std::vector<std::string> builder_command(Runtime runtime, const RunnerFolders& folders) {
  return python_command(std::string(kPython), folders.runtimes / "build/builder.py", {std::string(to_string(runtime))});
}

}  // namespace infra::sandbox
