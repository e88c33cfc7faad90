// The program of a C++ or Go version, in its unpacked folder: checked, made executable, and marked for the runner. What
// is written there lies in a folder of our own, which no bundle can bring.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.h"

namespace infra::worker {

// Below a version's folder, in kOwnFolder; runtimes/native/runner.cc knows these names too.
inline constexpr std::string_view kBuiltProgram = ".infra/main";  // compiled from the bundle's source
inline constexpr std::string_view kWarmMark = ".infra/warm";      // the program speaks docs/runner-protocol.md itself

// Blocking. Readies `program` (a path below `folder`) to be run by the runner. `invalid` (invalid_executable) if it
// can't run on this machine; `unavailable` (disk_failed).
[[nodiscard]] Result<void> prepare_executable(const std::filesystem::path& folder, std::string_view program);

}  // namespace infra::worker
