// Where the files that belong to the program are: at the places of an installation (packaging/layout.cmake), or in the
// source and build trees that the program was built in.
#pragma once

#include <filesystem>
#include <string>

#include "core/error.h"

namespace infra {

// The folder with python/ and nodejs/. `not_found` names both places.
[[nodiscard]] Result<std::filesystem::path> runtimes_folder();

// The folder with the compiled functions' runner. It may not be there.
[[nodiscard]] std::filesystem::path native_runner_folder();

// infra-spawner.
[[nodiscard]] std::filesystem::path spawner_program();

// The library that lets Python's runners be forked from a loaded interpreter. It may not be there.
[[nodiscard]] std::filesystem::path zygote_library();

// The program as it is called from a shell: by its name if it is found by that, else by its path.
[[nodiscard]] std::string program_command();

// The example functions; empty if they are not at hand.
[[nodiscard]] std::filesystem::path examples_folder();

}  // namespace infra
