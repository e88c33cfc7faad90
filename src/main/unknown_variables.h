// Slips of the pen in the environment that would otherwise change nothing, in silence.
#pragma once

#include <string>
#include <vector>

#include "main/env_file.h"

namespace infra {

// A sentence for each variable that begins with INFRA_ and that the table of configuration variables doesn't have, with
// the name that was likely meant. Values are not repeated.
[[nodiscard]] std::vector<std::string> unknown_variables(const Variables& variables);

}  // namespace infra
