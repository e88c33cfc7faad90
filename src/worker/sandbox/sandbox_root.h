// A sandbox's file system, mount by mount. All of it is made in the sandbox's own mount namespace, so that nothing can
// be left behind on the machine.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string_view>

#include "core/error.h"
#include "worker/sandbox/spawner.h"
#include "worker/sandbox/unique_fd.h"

namespace infra::worker {

// What a parked sandbox holds until it learns which function it is for.
struct PreparedRoot {
  // Of the versions root, whose owner mostly owns each version too.
  uid_t code_uid = 0;
  gid_t code_gid = 0;
  UniqueFd code_map;
};

// Builds the new root as far as it is the same for every function, and makes it "/". As real root, in a new mount and
// pid namespace. `runner` becomes /runtime; `uid` will own what the function may write.
[[nodiscard]] Result<PreparedRoot> prepare_root(const SpawnerOptions& options, const std::filesystem::path& runner,
                                                uid_t uid);

// Room for what a compiler leaves in /tmp; it counts against the sandbox's memory.
[[nodiscard]] Result<void> widen_scratch();

// Adds /workspace and makes the root read-only: nothing of the machine is reachable from then on but what is mounted.
// `version` is 64 hexadecimal digits.
[[nodiscard]] Result<void> finish_root(const PreparedRoot& prepared, std::string_view version, uid_t uid);

}  // namespace infra::worker
