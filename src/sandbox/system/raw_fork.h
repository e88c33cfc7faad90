// fork() by the bare system call. ThreadSanitizer's fork() starts a thread of its own in the child, and a process with
// two threads may not enter or make a user namespace.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

namespace infra::sandbox {

// For single-threaded processes whose child soon execs, pauses or exits: libc's handlers for fork() do not run.
inline pid_t raw_fork() {
  return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

}  // namespace infra::sandbox
