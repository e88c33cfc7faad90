// Capabilities of the calling process: what it has, and how it gives them up for good.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "core/error.h"

namespace infra::sandbox {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
};

// For the program itself, right after start_spawner() and before any thread exists (capabilities belong to a thread):
// drops every capability and the bounding set and sets no_new_privs. Keeps the uid unless another identity is given.
[[nodiscard]] Result<void> drop_privileges(std::optional<Identity> become = std::nullopt);

// Empties the ambient and, where CAP_SETPCAP allows it, the bounding set.
[[nodiscard]] Result<void> drop_bounding_set();
// Empties the effective, permitted and inheritable sets.
[[nodiscard]] Result<void> drop_capability_sets();

// Names of the capabilities that the spawner needs and this process lacks, separated by ", "; empty if it has them all.
[[nodiscard]] std::string missing_capabilities();

}  // namespace infra::sandbox
