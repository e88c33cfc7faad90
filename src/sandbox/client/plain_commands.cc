#include "sandbox/client/plain_commands.h"

namespace infra::sandbox {

std::vector<std::string> runner_command(Runtime runtime, const RunnerFolders& folders, int thread_pool) {
  switch (runtime) {
    case Runtime::python:
      return {"/usr/bin/python3", "-I", "-B", "-u", folders.runtimes / "python/runner.py"};
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
  return {"/usr/bin/python3", "-I", "-B", "-u", folders.runtimes / "build/builder.py", std::string(to_string(runtime))};
}

}  // namespace infra::sandbox
