// `infra serve`, `infra dev` and `infra worker`: from the environment to a running server, and down again by a signal.
#pragma once

#include <string>

#include "main/config.h"

namespace infra {

struct ServerOptions {
  std::string user;     // a name or a number: who the program becomes once the spawner has what needs privileges
  std::string address;  // to listen on; empty: loopback for `dev`, all addresses for the others
};

// Gives the exit status.
int run_server(Command command, const ServerOptions& options);

}  // namespace infra
