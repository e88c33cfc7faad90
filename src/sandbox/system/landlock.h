// Landlock, where the kernel has it: a last fence around a runner, which holds whatever else should fail. It is drawn
// around the sandbox's own tree, so that a directory of the machine's that got into the wrong hands opens nothing.
#pragma once

#include "core/error.h"

namespace infra::sandbox {

// The kernel's version of it; 0 if it has none, or it is switched off.
[[nodiscard]] int landlock_version();

// For the calling thread and what it starts, for good; needs no_new_privs, and "/" to be the sandbox's. Nothing beneath
// another root can be opened or changed, no device node made, no process outside traced or (version 6) signalled, no
// abstract socket outside (version 6) reached. Does nothing where there is no Landlock.
[[nodiscard]] Result<void> restrict_to_own_tree();

}  // namespace infra::sandbox
