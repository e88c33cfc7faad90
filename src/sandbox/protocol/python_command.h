// How each interpreter of ours is started, in a sandbox and beside it: nothing of the user's or the working directory's
// is imported, no bytecode is written, and what it prints is there at once.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace infra::sandbox {

inline constexpr std::string_view kPython = "/usr/bin/python3";

[[nodiscard]] inline std::vector<std::string> python_command(std::string program, std::string script,
                                                             std::vector<std::string> arguments = {}) {
  std::vector<std::string> command{std::move(program), "-I", "-B", "-u", std::move(script)};
  for (auto& argument : arguments) command.push_back(std::move(argument));
  return command;
}

}  // namespace infra::sandbox
