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
  bool operator==(const Identity&) const = default;
};

// For the program itself, right after start_spawner() and before any thread exists (capabilities belong to a thread):
// drops every capability, the bounding set and the supplementary groups, and sets no_new_privs. Keeps the uid unless
// another identity is given.
[[nodiscard]] Result<void> drop_privileges(std::optional<Identity> become = std::nullopt);

// For a helper with one task: of what it has it keeps this one alone, if it has it.
[[nodiscard]] Result<void> keep_one_capability(int capability);

// No core file of this process, whatever core_pattern is: its memory has keys, inputs and results. After
// drop_privileges(), as a new uid may make it dumpable again.
[[nodiscard]] Result<void> forbid_core_dumps();

[[nodiscard]] bool has_capabilities();
[[nodiscard]] bool can_mount();
// Whether this process may become `other`, and give him files. A container may forbid it, or know no such number.
[[nodiscard]] bool can_become(const Identity& other);

// Empties the ambient and, where CAP_SETPCAP allows it, the bounding set.
[[nodiscard]] Result<void> drop_bounding_set();
// Empties the effective, permitted and inheritable sets.
[[nodiscard]] Result<void> drop_capability_sets();

// Names of the capabilities that the spawner needs and this process lacks, separated by ", "; empty if it has them all.
[[nodiscard]] std::string missing_capabilities();

}  // namespace infra::sandbox
