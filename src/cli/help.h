// What the table of commands says of itself: the help, the manual page, and the shells' completion.
#pragma once

#include <string>
#include <string_view>

#include "cli/command.h"

namespace infra::cli {

[[nodiscard]] std::string overall_help();
[[nodiscard]] std::string help_of(const Command& command);
// What to do first, for `infra` alone.
[[nodiscard]] std::string first_steps();
[[nodiscard]] std::string manual_page();
// `shell`: bash, zsh or fish; empty for another.
[[nodiscard]] std::string completion(std::string_view shell);

// An exit status, as a program's caller sees it.
struct ExitMeaning {
  Exit exit;
  std::string_view meaning;
};
[[nodiscard]] const std::vector<ExitMeaning>& exit_meanings();

}  // namespace infra::cli
