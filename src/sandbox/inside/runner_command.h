// The program that becomes a sandbox's runner.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace infra::sandbox {

inline constexpr std::size_t kMaxArguments = 8;

struct RunnerCommand {
  std::vector<std::string> arguments;  // the first is the program; at most kMaxArguments
  std::string variable;                // NAME=value, the only one of its environment; empty: none
};

}  // namespace infra::sandbox
