// Configuration from the environment and `.env`, with everything that is wrong said at once.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "main/config_variables.h"
#include "main/env_file.h"

namespace infra {

enum class Command : std::uint8_t { serve, dev, worker };

// The problems, one sentence each, naming its variable.
struct ConfigProblems {
  std::vector<std::string> sentences;
};

// A variable that is set but empty counts as not set.
[[nodiscard]] std::expected<Config, ConfigProblems> read_config(const Variables& variables, Command command);

// The process's environment over `./.env`, if there is one. `warnings` gets a sentence for each variable of that file
// whose value may not be what was meant.
[[nodiscard]] Variables collect_variables(ConfigProblems& problems, std::vector<std::string>& warnings);

}  // namespace infra
