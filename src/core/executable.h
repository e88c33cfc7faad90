// The rules for a ready binary to run on this machine, over its first bytes. The upload and the worker both apply them,
// so that a wrong one is refused in words instead of failing at its first run.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "core/error.h"

namespace infra {

inline constexpr std::size_t kExecutableStart = 64 * 1024;  // bytes; a linker puts the tables at the front

// Programs that stay warm carry this text (runtimes/cpp/infra.hpp, runtimes/go/infra): nothing else in an executable
// survives stripping in both languages.
inline constexpr std::string_view kWarmMarker = "infra-warm-handler/1:5f0c8e9b7d3a4261";

// The processors for which builds are kept (core/object_keys.h), and this machine's.
inline constexpr std::array<std::string_view, 2> kMachines = {"x86_64", "aarch64"};
[[nodiscard]] std::string_view machine_name();

// `start` is the file's beginning, at most kExecutableStart. `invalid` (code invalid_executable) says what it is
// instead of a 64-bit Linux program for this machine.
[[nodiscard]] Result<void> check_executable(std::string_view start);

}  // namespace infra
