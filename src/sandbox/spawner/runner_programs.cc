#include "sandbox/spawner/runner_programs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/error_codes.h"
#include "sandbox/protocol/python_command.h"

namespace infra::sandbox {
namespace {

// Node.js sees the machine's memory, not the sandbox's. What is left beside the heap is node itself and its buffers.
int node_heap_mb(int memory_mb) {
  return std::max(memory_mb / 2, memory_mb - 96);
}

// glibc's malloc for Node.js. By its own rules it gives the end of its heap back whenever 128 KiB of that are free and
// asks for it again at once, some twenty times a boot, as V8 frees so much after each compilation; and it maps, faults
// in and unmaps every larger Buffer anew. Few arenas: each of Node.js's threads would get one and keep as much.
constexpr const char* kNodeMalloc =
    "GLIBC_TUNABLES=glibc.malloc.arena_max=2:glibc.malloc.top_pad=1048576:"
    "glibc.malloc.mmap_threshold=8388608:glibc.malloc.trim_threshold=16777216";

Result<std::string> interpreter(const std::filesystem::path& program, std::string_view runtime) {
  std::error_code error;
  std::string real = std::filesystem::canonical(program, error).string();
  if (error) {
    return fail(errors::sandbox_failed,
                fmt::format("{} is not installed on this worker: {} is missing", runtime, program.string()));
  }
  if (!real.starts_with("/usr/") || real.starts_with("/usr/local/")) {
    return fail(
        errors::sandbox_failed,
        fmt::format("{} is at {}, but a sandbox sees only what is below /usr and not below /usr/local", runtime, real));
  }
  return real;
}

Result<RunnerCommand> runner_command(const SpawnerOptions& options, const SandboxKind& kind) {
  if (kind.runtime == Runtime::python) {
    auto program = interpreter(options.python, "Python");
    if (!program) return fail(program.error());
    return RunnerCommand{.arguments = python_command(*program, "/runtime/runner.py"), .variable = {}};
  }
  if (kind.runtime == Runtime::nodejs) {
    auto program = interpreter(options.node, "Node.js");
    if (!program) return fail(program.error());
    RunnerCommand command{.arguments = {*program, fmt::format("--max-old-space-size={}", node_heap_mb(kind.memory_mb)),
                                        "/runtime/runner.js"},
                          .variable = kNodeMalloc};
    if (kind.thread_pool > 0) command.arguments.push_back(std::to_string(kind.thread_pool));
    return command;
  }
  std::error_code error;
  if (!std::filesystem::exists(options.native_runner / "runner", error)) {
    return fail(errors::sandbox_failed,
                fmt::format("the runner of compiled functions is missing: {}", options.native_runner.string()));
  }
  return RunnerCommand{.arguments = {"/runtime/runner"}, .variable = {}};
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
    return fail(errors::sandbox_failed.as(ErrorKind::invalid), "only C++ and Go are compiled");
  }
  auto program = interpreter(options.python, "Python");
  if (!program) return fail(program.error());
  return RunnerCommand{
      .arguments = python_command(*program, "/runtime/build/builder.py", {kind.runtime == Runtime::cpp ? "cpp" : "go"}),
      .variable = {}};
}

}  // namespace infra::sandbox
