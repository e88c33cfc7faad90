#include "sandbox/spawner/runner_programs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace infra::sandbox {
namespace {

// Node.js sees the machine's memory, not the sandbox's. What is left beside the heap is node itself and its buffers.
int node_heap_mb(int memory_mb) {
  return std::max(memory_mb / 2, memory_mb - 96);
}

Result<std::string> interpreter(const std::filesystem::path& program, std::string_view runtime) {
  std::error_code error;
  std::string real = std::filesystem::canonical(program, error).string();
  if (error) {
    return fail(ErrorKind::unavailable, "sandbox_failed",
                fmt::format("{} is not installed on this worker: {} is missing", runtime, program.string()));
  }
  if (!real.starts_with("/usr/") || real.starts_with("/usr/local/")) {
    return fail(
        ErrorKind::unavailable, "sandbox_failed",
        fmt::format("{} is at {}, but a sandbox sees only what is below /usr and not below /usr/local", runtime, real));
  }
  return real;
}

Result<RunnerCommand> runner_command(const SpawnerOptions& options, const SandboxKind& kind) {
  if (kind.runtime == Runtime::python) {
    auto program = interpreter(options.python, "Python");
    if (!program) return fail(program.error());
    return RunnerCommand{{*program, "-I", "-B", "-u", "/runtime/runner.py"}};
  }
  if (kind.runtime == Runtime::nodejs) {
    auto program = interpreter(options.node, "Node.js");
    if (!program) return fail(program.error());
    RunnerCommand command{
        {*program, fmt::format("--max-old-space-size={}", node_heap_mb(kind.memory_mb)), "/runtime/runner.js"}};
    if (kind.thread_pool > 0) command.arguments.push_back(std::to_string(kind.thread_pool));
    return command;
  }
  std::error_code error;
  if (!std::filesystem::exists(options.native_runner / "runner", error)) {
    return fail(ErrorKind::unavailable, "sandbox_failed",
                fmt::format("the runner of compiled functions is missing: {}", options.native_runner.string()));
  }
  return RunnerCommand{{"/runtime/runner"}};
}

}  // namespace

std::filesystem::path runner_folder(const SpawnerOptions& options, LaunchPurpose purpose, Runtime runtime) {
  if (purpose == LaunchPurpose::build) return options.runners;  // with the headers and modules that builds find
  if (runtime == Runtime::python) return options.runners / "python";
  return runtime == Runtime::nodejs ? options.runners / "nodejs" : options.native_runner;
}

Result<RunnerCommand> launch_command(const SpawnerOptions& options, const SandboxKind& kind) {
  if (kind.purpose == LaunchPurpose::run) return runner_command(options, kind);
  if (kind.runtime != Runtime::cpp && kind.runtime != Runtime::go) {
    return fail(ErrorKind::invalid, "sandbox_failed", "only C++ and Go are compiled");
  }
  auto program = interpreter(options.python, "Python");
  if (!program) return fail(program.error());
  return RunnerCommand{
      {*program, "-I", "-B", "-u", "/runtime/build/builder.py", kind.runtime == Runtime::cpp ? "cpp" : "go"}};
}

}  // namespace infra::sandbox
