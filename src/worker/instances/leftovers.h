// A call's leftovers in its sandbox that the next call shall not find: the instance is ended then, and they end with
// it.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/runtime.h"
#include "sandbox/launcher.h"

namespace infra::worker {

enum class Leftover : std::uint8_t {
  nothing,
  processes,
  threads,
  connections,  // or sockets that listen; the AI endpoint's are not meant
  disk,         // half of a folder for scratch files, or more
};

[[nodiscard]] std::string_view to_string(Leftover left);

// `rest` is how the sandbox looked before its first call; `excused` is how many sockets belong to the AI endpoint's
// connections. Threads are counted where their number is the function's doing (core/runtime.h).
[[nodiscard]] Leftover compare(const sandbox::SandboxState& rest, const sandbox::SandboxState& now, Runtime runtime,
                               int excused);

}  // namespace infra::worker
