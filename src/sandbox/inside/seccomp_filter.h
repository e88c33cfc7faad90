// The system calls a function may make: an allow-list for CPython and Node.js, compiled once and installed in every
// sandbox.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "core/error.h"

namespace infra::sandbox {

using SeccompProgram = std::vector<sock_filter>;

// For runners, and all processes that they start.
[[nodiscard]] Result<SeccompProgram> compile_seccomp_filter();

// A sandbox's init, which never runs anything: it needs little, and the kernel keeps three copies of a filter for each
// process that installs one.
[[nodiscard]] Result<SeccompProgram> compile_init_filter();

struct SeccompPrograms {
  SeccompProgram runner;
  SeccompProgram init;
};

// Binds the calling thread and its descendants for good. Needs no_new_privs.
[[nodiscard]] Result<void> install_seccomp_filter(const SeccompProgram& program);

}  // namespace infra::sandbox
