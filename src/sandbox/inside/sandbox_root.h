// A sandbox's file system: a copy of a template's mounts (root_template.h) and what is its own. All of it is in the
// sandbox's own mount namespace, so that nothing can be left behind on the machine.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "sandbox/protocol/spawner_options.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

// Where a template has the device nodes that are to be each sandbox's own, and the links beside them.
inline constexpr const char* kDevices = "/dev/own";

// A parked sandbox's root, until it learns which function it is for.
struct PreparedRoot {
  UniqueFd versions;  // mounted nowhere, so that no function sees another's code
  UniqueFd stage;     // mounted nowhere: what /workspace is made of
  // Of the versions root, whose owner mostly owns each version too.
  uid_t code_uid = 0;
  gid_t code_gid = 0;
  UniqueFd code_map;
};

// What this machine's /proc has of what functions are not to see or to write: the same names are in each new one.
struct ProcCovers {
  std::vector<std::string> read_only;
  std::vector<std::string> files;    // the null device lies on them
  std::vector<std::string> folders;  // an empty one does
};
[[nodiscard]] ProcCovers find_proc_covers();

// Makes "/" as far as it is the same for every function. As real root in a new pid namespace, with the machine's mounts
// until then; `root_template` is RootTemplates'. `uid` will own what the function may write.
[[nodiscard]] Result<PreparedRoot> prepare_root(const SpawnerOptions& options, int root_template,
                                                const ProcCovers& proc, uid_t uid);

// Room for what a compiler leaves in /tmp; it counts against the sandbox's memory.
[[nodiscard]] Result<void> widen_scratch();

// Adds /workspace, and lets go of what it was made of. `version` is 64 hexadecimal digits.
[[nodiscard]] Result<void> finish_root(PreparedRoot& prepared, std::string_view version, uid_t uid);

}  // namespace infra::sandbox
