#include "sandbox/client/plain_commands.h"

namespace infra::sandbox {

std::vector<std::string> runner_command(Runtime runtime, const RunnerFolders& folders, int thread_pool) {
  const RuntimeTraits& traits = traits_of(runtime);
  if (traits.interpreter == nullptr) return {folders.native / traits.runner};
  auto command = command_for(*traits.interpreter, std::string(traits.interpreter->program),
                             folders.runtimes / traits.name / traits.runner);
  if (thread_pool > 0) command.push_back(std::to_string(thread_pool));
  return command;
}

std::vector<std::string> builder_command(Runtime runtime, const RunnerFolders& folders) {
  auto command =
      command_for(kPythonInterpreter, std::string(kPythonInterpreter.program), folders.runtimes / "build/builder.py");
  command.emplace_back(to_string(runtime));
  return command;
}

}  // namespace infra::sandbox
