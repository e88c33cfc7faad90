// Where the files that belong to the program are: the runners beside it, the examples in its source tree.
#pragma once

#include <filesystem>

#include "core/error.h"

namespace infra {

// The folder with python/ and nodejs/: `share/infra/runtimes` of an installation, or `runtimes` of the source tree that
// the program was built in. `not_found` names both.
[[nodiscard]] Result<std::filesystem::path> runtimes_folder();

// The folder with the compiled functions' runner: `libexec/infra/native` of an installation, or `native` beside the
// program in its build tree. It may not be there.
[[nodiscard]] std::filesystem::path native_runner_folder();

// infra-spawner: `libexec/infra` of an installation, or beside the program in its build tree.
[[nodiscard]] std::filesystem::path spawner_program();

// The library that lets Python's runners be forked from a loaded interpreter: `lib/infra` of an installation, or beside
// the program in its build tree. It may not be there.
[[nodiscard]] std::filesystem::path zygote_library();

// The examples of the source tree; empty if the program is installed elsewhere.
[[nodiscard]] std::filesystem::path examples_folder();

}  // namespace infra
