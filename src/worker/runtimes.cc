#include "worker/runtimes.h"

namespace infra::worker {

bool can_run(Runtime runtime) {
  switch (runtime) {
    case Runtime::python:
    case Runtime::nodejs:
      return true;
    case Runtime::cpp:  // these need a compiler at deploy, and a runner that starts a binary
    case Runtime::go:
      return false;
  }
  return false;
}

std::vector<std::string> runner_command(Runtime runtime, const std::filesystem::path& runtimes) {
  if (runtime == Runtime::nodejs) return {"/usr/bin/node", runtimes / "nodejs/runner.js"};
  return {"/usr/bin/python3", "-I", "-B", "-u", runtimes / "python/runner.py"};
}

}  // namespace infra::worker
