// The program's front: finds the command that was typed and runs it. Those that start the platform are main's.
#pragma once

#include <functional>
#include <string>

#include "cli/arguments.h"

namespace infra::cli {

struct Host {
  std::string version;                                            // a line
  std::function<int(const Arguments& arguments)> start_platform;  // for commands without a body of their own
};

// Gives the exit status.
[[nodiscard]] int run(int argc, const char* const* argv, const Host& host);

}  // namespace infra::cli
