// A spawner's options as the arguments of its program, which is told nothing else: its environment is empty, and of
// descriptors it gets its socket.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "sandbox/protocol/spawner_options.h"

namespace infra::sandbox {

inline constexpr int kSpawnerSocketFd = 3;

// One "name=value" each. Without `program`, and without the egress' block_hosts, which others look up.
[[nodiscard]] std::vector<std::string> to_arguments(const SpawnerOptions& options);

// `invalid`, with the argument, for what to_arguments() does not make.
[[nodiscard]] Result<SpawnerOptions> parse_arguments(std::span<const char* const> arguments);

}  // namespace infra::sandbox
