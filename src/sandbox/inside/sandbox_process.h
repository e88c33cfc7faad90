// The steps of a sandbox's processes on themselves before user code runs: privileges gone, descriptors in
// place. Init does it, the runner that init forks, and the one that the zygote forks.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/error.h"
#include "sandbox/inside/seccomp_filter.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

inline constexpr uid_t kInsideUid = 1000;
inline constexpr int kReportFd = 3;  // init's socket to the spawner

// The runner's ends, which become its descriptors 0 to 3.
struct RunnerStreams {
  UniqueFd control, out, err;
};

enum class SandboxRole { init, runner };

// Init dies with the spawner. A change of credentials clears the setting (prctl(2)), so this is called after each.
// False if the spawner has gone.
[[nodiscard]] bool bind_life_to_spawner();

// Places this process in a slot's groups, where cloning could not: `files` are CgroupSlots' join_files().
[[nodiscard]] Result<void> join_groups(const std::vector<std::string>& files);

// Where the whole machine runs out of memory, this process and all that it starts are killed before any other. They
// can't take that back where CAP_SYS_RESOURCE was there to set it; without, as far as this process began.
[[nodiscard]] Result<void> be_killed_first();

// Every capability, real root's ids and whatever the filter refuses, for good.
[[nodiscard]] Result<void> give_up_privileges(const SeccompProgram& seccomp, const UniqueFd& user_namespace,
                                              SandboxRole role);

// Leaves the null device, the streams and `note`, which is -1 or gets its new place; all else is closed.
[[nodiscard]] Result<void> arrange_descriptors(const RunnerStreams& streams, int& note);

}  // namespace infra::sandbox
