// The system calls that the program itself may make, once it has what it starts with.
#pragma once

#include "core/error.h"

namespace infra::sandbox {

// For the calling thread, and all that it starts; needs no_new_privs. What is not on the list gets ENOSYS, and a line
// of the kernel's log with the call's number. What only a program calls that is not itself any more ends it.
[[nodiscard]] Result<void> install_program_filter();

}  // namespace infra::sandbox
