// A filter of system calls, from rules to the calling thread.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "core/error.h"

namespace infra::sandbox {

using SeccompProgram = std::vector<sock_filter>;

// `add_rules` gets libseccomp's filter, and is false where a rule can't be added. `otherwise`: the action of the rest.
[[nodiscard]] Result<SeccompProgram> compile_seccomp(std::uint32_t otherwise,
                                                     const std::function<bool(void*)>& add_rules);

// A rule for a call by its name. One that this architecture or libseccomp doesn't know needs none.
[[nodiscard]] bool add_call(void* filter, std::uint32_t action, const char* name);

// Binds the calling thread and its descendants for good. Needs no_new_privs. `flags`: SECCOMP_FILTER_FLAG_…
[[nodiscard]] Result<void> install_seccomp_filter(const SeccompProgram& program, unsigned long flags = 0);

}  // namespace infra::sandbox
