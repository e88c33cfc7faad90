// What a sandbox is for.
#pragma once

#include <cstdint>

#include "core/enum_number.h"

namespace infra::sandbox {

enum class LaunchPurpose : std::uint8_t {
  run,    // the runtime's runner, for calls
  build,  // the builder (runtimes/build), which compiles the version's source once; more room in /tmp
};

}  // namespace infra::sandbox

namespace infra {

template <>
inline constexpr sandbox::LaunchPurpose kLastOf<sandbox::LaunchPurpose> = sandbox::LaunchPurpose::build;

}  // namespace infra
