// The privileged helper of the program: started in the first lines of main(), before threads, listeners and locks
// exist, it alone can make sandboxes. A program of its own (spawner_main.cc). It ends, and all sandboxes with it, when
// the handle's socket closes.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "sandbox/protocol/spawner_options.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

struct SpawnerHandle {
  UniqueFd socket;
  pid_t pid = -1;
  int slots = 0;
  std::vector<std::string> engine_hosts{};  // of EgressOptions: looked up at first need, by the unprivileged program
};

// Returns when the spawner has swept what an earlier one left and is ready. Then call drop_privileges() (privileges.h).
// `invalid` for options that can't be; `unavailable` with check_isolation()'s words or the failing step.
[[nodiscard]] Result<SpawnerHandle> start_spawner(SpawnerOptions options);

// The same program for one that runs no functions: it opens those files, and can do nothing else.
[[nodiscard]] Result<SpawnerHandle> start_file_opener(std::filesystem::path program,
                                                      std::vector<std::filesystem::path> files);

}  // namespace infra::sandbox
