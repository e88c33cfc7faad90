#include "sandbox/confinement/program_filter.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "sandbox/system/seccomp_program.h"

namespace infra::sandbox {
namespace {

// Allowed whatever their arguments are: for these the kernel looks into a bitmap, and runs no filter.
// clang-format off: a table
constexpr auto kAllowed = std::to_array<const char*>({
    // waiting, time, locks: the commonest
    "epoll_pwait", "epoll_wait", "epoll_pwait2", "epoll_ctl", "epoll_create1", "eventfd2", "timerfd_create",
    "timerfd_settime", "timerfd_gettime", "poll", "ppoll", "select", "pselect6", "futex", "futex_waitv",
    "clock_gettime", "clock_getres", "clock_nanosleep", "gettimeofday", "time", "nanosleep", "restart_syscall",
    // connections
    "sendmsg", "recvmsg", "sendto", "recvfrom", "sendmmsg", "recvmmsg", "accept4", "accept", "connect", "bind", "listen",
    "shutdown", "getsockname", "getpeername", "getsockopt", "setsockopt", "socketpair",
    // files
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "open",
    "openat", "openat2", "close", "close_range", "lseek", "stat", "fstat", "lstat", "newfstatat", "statx", "statfs",
    "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "chdir", "fchdir",
    "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink",
    "symlinkat", "chmod", "fchmod", "fchown", "fchmodat", "utimensat", "truncate", "ftruncate", "fallocate", "fadvise64",
    "readahead", "sync_file_range", "fsync", "fdatasync", "syncfs", "flock", "umask", "dup", "dup2", "dup3", "pipe2",
    "sendfile", "splice", "tee", "copy_file_range",
    // memory
    "mmap", "munmap", "mprotect", "mremap", "madvise", "brk", "mincore", "msync", "mlock", "munlock", "membarrier",
    // itself, its threads and its children
    "exit", "exit_group", "wait4", "waitid", "gettid", "getpid", "getppid", "getpgrp", "getuid", "geteuid", "getgid",
    "getegid", "getresuid", "getresgid", "getgroups", "getrlimit", "getrusage", "times", "set_robust_list",
    "get_robust_list", "set_tid_address", "rseq", "arch_prctl", "sched_yield", "sched_getaffinity", "sched_getparam",
    "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min", "getpriority", "getcpu", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend", "sigaltstack", "pause",
    "alarm", "setitimer", "getitimer", "timer_create", "timer_settime", "timer_gettime", "timer_getoverrun",
    "timer_delete", "signalfd4", "uname", "sysinfo", "getrandom",
});

// No part of the program or of its libraries has a use for them, not even to ask whether they are there.
constexpr auto kFatal = std::to_array<const char*>({
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise",
    "pidfd_getfd", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount",
    "fspick", "mount_setattr", "unshare", "setns", "keyctl", "add_key", "request_key", "bpf", "perf_event_open",
    "io_uring_setup", "userfaultfd", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
    "open_by_handle_at", "name_to_handle_at", "swapon", "swapoff", "reboot", "settimeofday", "clock_settime",
    "clock_adjtime", "adjtimex", "acct", "iopl", "ioperm", "modify_ldt", "syslog", "sethostname", "setdomainname", "mknod",
    "mknodat", "capset", "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid",
    "setfsgid", "seccomp", "personality",
});
// clang-format on

constexpr std::uint64_t kWord = 0xffffffffULL;  // the kernel looks at 32 bits

scmp_arg_cmp masked_equal(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

bool allow_if(void* filter, int call, const scmp_arg_cmp& condition) {
  return ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition) == 0;
}

template <std::size_t Count>
bool allow_values(void* filter, int call, unsigned argument, const std::array<std::uint64_t, Count>& values) {
  return std::ranges::all_of(
      values, [&](std::uint64_t value) { return allow_if(filter, call, masked_equal(argument, kWord, value)); });
}

// Netlink tells which addresses this machine has; without a capability it changes nothing.
bool add_sockets(void* filter) {
  return allow_values(filter, SCMP_SYS(socket), 0,
                      std::to_array<std::uint64_t>({AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}));
}

// No driver's. Folders' flags spread the versions over the disk.
bool add_ioctls(void* filter) {
  return allow_values(filter, SCMP_SYS(ioctl), 1,
                      std::to_array<std::uint64_t>({FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, SIOCOUTQ, TCGETS, TIOCGWINSZ,
                                                    FS_IOC_GETFLAGS, FS_IOC_SETFLAGS}));
}

bool add_fcntl(void* filter) {
  return allow_values(filter, SCMP_SYS(fcntl), 1,
                      std::to_array<std::uint64_t>({F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL,
                                                    F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW,
                                                    F_GETPIPE_SZ, F_SETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS}));
}

// Names of threads and of memory. Dumpable it stays not.
bool add_prctl(void* filter) {
  constexpr std::uint64_t kSetVma = 0x53564d41;
  return allow_values(filter, SCMP_SYS(prctl), 0,
                      std::to_array<std::uint64_t>({PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, kSetVma}));
}

// Threads, but no processes: what looks like a program of ours is one.
bool add_threads(void* filter) {
  return allow_if(filter, SCMP_SYS(clone), masked_equal(0, CLONE_THREAD, CLONE_THREAD));
}

// To its own threads, for it has its number for good: others of its uid are left alone.
bool add_signals(void* filter) {
  const auto self = static_cast<std::uint64_t>(::getpid());
  const auto calls = std::to_array<int>({SCMP_SYS(kill), SCMP_SYS(tgkill), SCMP_SYS(rt_tgsigqueueinfo)});
  return std::ranges::all_of(calls, [&](int call) { return allow_if(filter, call, masked_equal(0, kWord, self)); });
}

// Of itself alone, and none that gives a thread more than others have: without a capability it only becomes less.
bool add_limits(void* filter) {
  const std::array<scmp_arg_cmp, 2> own_priority{masked_equal(0, kWord, PRIO_PROCESS), masked_equal(1, kWord, 0)};
  constexpr std::uint64_t kProcess = 1;  // IOPRIO_WHO_PROCESS, which linux/ioprio.h has from Linux 6.2 on
  const std::array<scmp_arg_cmp, 2> own_io_priority{masked_equal(0, kWord, kProcess), masked_equal(1, kWord, 0)};
  return allow_if(filter, SCMP_SYS(prlimit64), masked_equal(0, kWord, 0)) &&
         ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(setpriority), 2, own_priority.data()) == 0 &&
         ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioprio_set), 2, own_io_priority.data()) == 0;
}

bool add_rules(void* filter) {
  const auto add_all = [&](const auto& names, std::uint32_t action) {
    return std::ranges::all_of(names, [&](const char* name) { return add_call(filter, action, name); });
  };
  return add_all(kAllowed, SCMP_ACT_ALLOW) && add_all(kFatal, SCMP_ACT_KILL_PROCESS) && add_sockets(filter) &&
         add_ioctls(filter) && add_fcntl(filter) && add_prctl(filter) && add_threads(filter) && add_signals(filter) &&
         add_limits(filter) && add_call(filter, SCMP_ACT_ALLOW, "clone3");
}

// clone3 takes its flags by pointer, where no filter sees them: at ENOSYS libc goes back to clone. A filter of its own,
// which the kernel keeps no log of, because libc asks at each thread.
bool add_quiet_rules(void* filter) {
  return ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

}  // namespace

Result<void> install_program_filter() {
  const auto list = compile_seccomp(SCMP_ACT_ERRNO(ENOSYS), add_rules);
  if (!list) return fail(list.error());
  const auto quiet = compile_seccomp(SCMP_ACT_ALLOW, add_quiet_rules);
  if (!quiet) return fail(quiet.error());
  // The list comes last: it allows no further one.
  constexpr unsigned long kNoMitigation = SECCOMP_FILTER_FLAG_SPEC_ALLOW;  // the program runs no code of others
  if (auto installed = install_seccomp_filter(*quiet, kNoMitigation); !installed) return installed;
  return install_seccomp_filter(*list, kNoMitigation | SECCOMP_FILTER_FLAG_LOG);
}

}  // namespace infra::sandbox
