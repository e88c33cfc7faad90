// All commands, in the order in which the help lists them.
#pragma once

#include <string_view>
#include <vector>

#include "cli/command.h"

namespace infra::cli {

[[nodiscard]] const std::vector<Command>& commands();
[[nodiscard]] const Command* find_command(std::string_view name);  // null: there is none

// What every command has that asks a running Infra; and what all have.
[[nodiscard]] const std::vector<Option>& connection_options();
[[nodiscard]] const std::vector<Option>& common_options();
// Its own, then those it has in common with others.
[[nodiscard]] std::vector<Option> options_of(const Command& command);

}  // namespace infra::cli
