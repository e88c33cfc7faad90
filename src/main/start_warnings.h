// What works, but an operator should know of: said at every start.
#pragma once

#include <string>
#include <vector>

#include "main/config.h"

namespace infra {

inline constexpr std::size_t kShortKey = 16;  // characters; one below that can be guessed

// `address`: what is listened on.
[[nodiscard]] std::vector<std::string> start_warnings(Command command, const Config& config,
                                                      const std::string& address);

}  // namespace infra
