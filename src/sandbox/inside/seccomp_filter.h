// The system calls a function may make: an allow-list for CPython and Node.js, compiled once and installed in every
// sandbox.
#pragma once

#include "core/error.h"
#include "sandbox/system/seccomp_program.h"

namespace infra::sandbox {

// For runners, and all processes that they start.
[[nodiscard]] Result<SeccompProgram> compile_seccomp_filter();

// A sandbox's init, which never runs anything: it needs little, and the kernel keeps three copies of a filter for each
// process that installs one.
[[nodiscard]] Result<SeccompProgram> compile_init_filter();

struct SeccompPrograms {
  SeccompProgram runner;
  SeccompProgram init;
};

}  // namespace infra::sandbox
