#include "sandbox/spawner/runner_programs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/error_codes.h"

namespace infra::sandbox {
namespace {

// An interpreter with a heap of its own sees the machine's memory, not the sandbox's. What is left beside the heap is
// for itself and its buffers.
int heap_mb(int memory_mb) {
  return std::max(memory_mb / 2, memory_mb - 96);
}

Result<std::string> program_of(const Interpreter& interpreter) {
  std::error_code error;
  std::string real = std::filesystem::canonical(interpreter.program, error).string();
  if (error) {
    return fail(errors::sandbox_failed, fmt::format("{} is not installed on this worker: {} is missing",
                                                    interpreter.name, interpreter.program));
  }
  if (!real.starts_with("/usr/") || real.starts_with("/usr/local/")) {
    return fail(errors::sandbox_failed,
                fmt::format("{} is at {}, but a sandbox sees only what is below /usr and not below /usr/local",
                            interpreter.name, real));
  }
  return real;
}

Result<RunnerCommand> runner_command(const SpawnerOptions& options, const SandboxKind& kind) {
  const RuntimeTraits& traits = traits_of(kind.runtime);
  const std::string runner = fmt::format("/runtime/{}", traits.runner);
  if (traits.interpreter == nullptr) {
    std::error_code error;
    if (std::filesystem::exists(options.native_runner / traits.runner, error))
      return RunnerCommand{.arguments = {runner}, .variable = {}};
    return fail(errors::sandbox_failed,
                fmt::format("the runner of compiled functions is missing: {}", options.native_runner.string()));
  }
  auto program = program_of(*traits.interpreter);
  if (!program) return fail(program.error());
  RunnerCommand command{.arguments = command_for(*traits.interpreter, std::move(*program), runner),
                        .variable = std::string(traits.interpreter->variable)};
  if (is_sized_at_start(kind.runtime)) {
    command.arguments.insert(command.arguments.end() - 1,
                             fmt::format("{}{}", traits.heap_option, heap_mb(kind.memory_mb)));
  }
  if (kind.thread_pool > 0) command.arguments.push_back(std::to_string(kind.thread_pool));
  return command;
}

}  // namespace

std::filesystem::path runner_folder(const SpawnerOptions& options, LaunchPurpose purpose, Runtime runtime) {
  if (purpose == LaunchPurpose::build) return options.runners;  // with the headers and modules that builds find
  return is_compiled(runtime) ? options.native_runner : options.runners / to_string(runtime);
}

Result<RunnerCommand> launch_command(const SpawnerOptions& options, const SandboxKind& kind) {
  if (kind.purpose == LaunchPurpose::run) return runner_command(options, kind);
  if (!is_compiled(kind.runtime)) {
    return fail(errors::sandbox_failed.as(ErrorKind::invalid),
                fmt::format("{} is not compiled", to_string(kind.runtime)));
  }
  auto program = program_of(kPythonInterpreter);
  if (!program) return fail(program.error());
  RunnerCommand command{.arguments = command_for(kPythonInterpreter, std::move(*program), "/runtime/build/builder.py"),
                        .variable = {}};
  command.arguments.emplace_back(to_string(kind.runtime));
  return command;
}

}  // namespace infra::sandbox
