// The text that a newcomer reads when `infra dev` has started.
#pragma once

#include <cstdint>
#include <string>

namespace infra {

struct WalkThrough {
  std::uint16_t port = 0;
  std::string key;
  std::string program;              // as it is called from a shell
  std::string examples;             // the folder with the example functions; empty if it is not at hand
  bool command_line_knows = false;  // by a profile, where the platform is
};

// The address, the key and lines to paste.
[[nodiscard]] std::string walk_through(const WalkThrough& told);

}  // namespace infra
