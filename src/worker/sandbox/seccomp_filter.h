// The system calls a function may make: an allow-list for CPython and Node.js, compiled once and installed in every
// sandbox.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "core/error.h"

namespace infra::worker {

using SeccompProgram = std::vector<sock_filter>;

[[nodiscard]] Result<SeccompProgram> compile_seccomp_filter();

// Binds the calling thread and its descendants for good. Needs no_new_privs.
[[nodiscard]] Result<void> install_seccomp_filter(const SeccompProgram& program);

}  // namespace infra::worker
