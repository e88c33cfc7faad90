// What a sandbox is for.
#pragma once

#include <cstdint>

namespace infra::sandbox {

enum class LaunchPurpose : std::uint8_t {
  run,    // the runtime's runner, for calls
  build,  // the builder (runtimes/build), which compiles the version's source once; more room in /tmp
};

}  // namespace infra::sandbox
