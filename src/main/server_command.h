// `infra serve` and `infra dev`: from the environment to a running server, and down again by a signal.
#pragma once

#include <string>

#include "main/config.h"

namespace infra {

// `user` (a name or a number; empty: stay) is who the program becomes once the spawner has what needs privileges. Gives
// the exit status.
int run_server(Command command, const std::string& user);

}  // namespace infra
