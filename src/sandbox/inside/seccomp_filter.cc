#include "sandbox/inside/seccomp_filter.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "sandbox/inside/seccomp_refusals.h"

namespace infra::sandbox {
namespace {

// Names, because a few exist on one architecture only; libseccomp knows them all and skips those.
// clang-format off: a table
constexpr auto kAllowed = std::to_array<const char*>({
    // files and descriptors
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "open",
    "openat", "openat2", "creat", "close", "close_range", "lseek", "stat", "fstat", "lstat", "newfstatat", "statx",
    "statfs", "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents", "getdents64",
    "getcwd", "chdir", "fchdir", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2",
    "link", "linkat", "symlink", "symlinkat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat",
    "utime", "utimes", "utimensat", "futimesat", "truncate", "ftruncate", "fallocate", "flock", "umask", "dup", "dup2",
    "dup3", "pipe", "pipe2", "sendfile", "splice", "tee", "vmsplice", "copy_file_range", "getxattr", "lgetxattr",
    "fgetxattr", "listxattr", "llistxattr", "flistxattr", "setxattr", "lsetxattr", "fsetxattr", "removexattr",
    "lremovexattr", "fremovexattr",
    // waiting
    "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
    "epoll_pwait2", "eventfd", "eventfd2", "signalfd", "signalfd4", "timerfd_create", "timerfd_settime",
    "timerfd_gettime",
    // memory
    "brk", "munmap", "mprotect", "mremap", "madvise", "mincore", "msync", "mlock", "mlock2", "munlock",
    "mlockall", "munlockall", "membarrier", "pkey_alloc", "pkey_free", "pkey_mprotect",
    // processes, threads and signals
    "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid", "kill", "tkill", "tgkill", "futex",
    "futex_waitv", "set_robust_list", "get_robust_list", "set_tid_address", "rseq", "arch_prctl", "prctl",
    "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler",
    "sched_get_priority_max", "sched_get_priority_min", "sched_rr_get_interval", "sched_getattr", "getpriority",
    "getcpu", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "rt_sigpending", "rt_sigtimedwait", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "rt_sigsuspend", "sigaltstack", "pause",
    "alarm", "getitimer", "setitimer", "timer_create", "timer_settime", "timer_gettime", "timer_getoverrun",
    "timer_delete", "restart_syscall", "pidfd_open", "pidfd_send_signal", "getpid", "getppid", "gettid", "getpgid",
    "getpgrp", "setpgid", "getsid", "setsid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid",
    "getgroups", "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "capget", "getrlimit",
    "setrlimit", "getrusage", "times",
    // System V shared memory and friends, of its own IPC namespace
    "shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semtimedop", "semctl", "msgget", "msgsnd", "msgrcv",
    "msgctl",
    // sockets; which ones, and what else is refused by its arguments, is in seccomp_refusals.cc
    "socket", "socketpair", "bind", "connect", "listen", "accept", "accept4", "getsockname", "getpeername", "sendto", "recvfrom",
    "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown", "setsockopt", "getsockopt",
    // time and the rest
    "clock_gettime", "clock_getres", "clock_nanosleep", "gettimeofday", "time", "nanosleep", "uname", "sysinfo",
    "getrandom",
});
// clang-format on

// Told that it is done, and nothing is. What a function can write lies in memory, where there is nothing to write back;
// on files that all see this would make the machine's disks work for it, and advice would empty its cache of them.
// clang-format off: a table
constexpr auto kNothingToDo = std::to_array<const char*>({
    "fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "fadvise64", "readahead",
});
// clang-format on

// Refused with EPERM, which tells a person more than the ENOSYS that everything else gets.
// clang-format off: a table
constexpr auto kForbidden = std::to_array<const char*>({
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd", "mount", "umount",
    "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
    "mount_setattr", "unshare", "setns", "keyctl", "add_key", "request_key", "bpf", "perf_event_open", "io_uring_setup",
    "io_uring_enter", "io_uring_register", "userfaultfd", "kexec_load", "kexec_file_load", "init_module",
    "finit_module", "delete_module", "open_by_handle_at", "name_to_handle_at", "swapon", "swapoff", "reboot",
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "quotactl", "quotactl_fd", "acct", "iopl", "ioperm",
    "modify_ldt", "syslog", "vhangup", "sethostname", "setdomainname", "capset", "setgroups",
    "fanotify_init", "fanotify_mark", "lookup_dcookie", "nfsservctl", "mbind", "set_mempolicy", "get_mempolicy",
    "inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "migrate_pages", "move_pages", "memfd_secret", "landlock_create_ruleset", "seccomp",
});
// clang-format on

// What a sandbox's init does once it waits: it passes descriptors of output files out, and takes what has ended.
// clang-format off: a table
constexpr auto kAllowedToInit = std::to_array<const char*>({
    "read", "write", "close", "lseek", "openat", "fstat", "newfstatat", "statx", "getdents64", "unlinkat", "poll", "ppoll",
    "recvmsg", "sendmsg", "wait4", "restart_syscall", "exit", "exit_group", "brk", "mmap", "munmap", "mremap", "madvise",
    "mprotect", "futex", "clock_gettime", "getpid", "gettid", "sched_yield", "rt_sigaction", "rt_sigprocmask",
    "rt_sigreturn", "sigaltstack",
});
// clang-format on

// What SCMP_A0() and SCMP_A1() make, which are compound literals of C99.
scmp_arg_cmp equal(unsigned argument, std::uint64_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}
scmp_arg_cmp masked_equal(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

bool allow_if(void* filter, int call, const scmp_arg_cmp& condition) {
  return ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition) == 0;
}
bool forbid_if(void* filter, int call, const scmp_arg_cmp& condition) {
  return ::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), call, 1, &condition) == 0;
}

// Threads and children, but no namespaces. clone3 takes its flags by pointer where no filter can see them: ENOSYS makes
// libc fall back to clone.
bool add_clone(void* filter) {
  constexpr std::uint64_t kNamespaces =
      CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  return allow_if(filter, SCMP_SYS(clone), masked_equal(0, kNamespaces, 0));
}

// No TIOCSTI or TIOCLINUX, which push input into a terminal, nor anything of a driver. The kernel looks at 32 bits.
bool add_ioctls(void* filter) {
  constexpr auto kRequests =
      std::to_array<std::uint64_t>({TCGETS, TIOCGWINSZ, TIOCGPGRP, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX});
  return std::ranges::all_of(kRequests, [&](std::uint64_t request) {
    return allow_if(filter, SCMP_SYS(ioctl), masked_equal(1, 0xffffffffULL, request));
  });
}

// No F_NOTIFY, which like inotify tells of what others do to files that all see (a function's start opens some in
// /usr); inotify's instances are moreover counted against root's for the whole machine. No leases either, which make
// others wait, and no F_SETPIPE_SZ: pipes that the worker made are charged to it.
bool add_fcntl(void* filter) {
  constexpr auto kCommands = std::to_array<std::uint64_t>(
      {F_DUPFD,           F_GETFD,     F_SETFD,     F_GETFL,       F_SETFL,       F_GETLK,
       F_SETLK,           F_SETLKW,    F_SETOWN,    F_GETOWN,      F_SETSIG,      F_GETSIG,
       F_SETOWN_EX,       F_GETOWN_EX, F_OFD_GETLK, F_OFD_SETLK,   F_OFD_SETLKW,  F_DUPFD_CLOEXEC,
       F_GETPIPE_SZ,      F_ADD_SEALS, F_GET_SEALS, F_GET_RW_HINT, F_SET_RW_HINT, F_GET_FILE_RW_HINT,
       F_SET_FILE_RW_HINT});
  return std::ranges::all_of(kCommands, [&](std::uint64_t command) {
    return allow_if(filter, SCMP_SYS(fcntl), masked_equal(1, 0xffffffffULL, command));
  });
}

// Not from the machine's pool of huge pages, which no memory limit of ours counts.
bool add_memory(void* filter) {
  return allow_if(filter, SCMP_SYS(mmap), masked_equal(3, MAP_HUGETLB, 0)) &&
         allow_if(filter, SCMP_SYS(memfd_create), masked_equal(1, MFD_HUGETLB, 0));
}

// For the calling thread only, which is number 0. Init shares the function's user id: made idle among a hundred
// children that spin, it would take many seconds to end them when the function's time is over. The kernel looks at 32
// bits.
bool add_scheduling(void* filter) {
  constexpr std::uint64_t kWord = 0xffffffffULL;
  const auto own = std::to_array<int>(
      {SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_setparam), SCMP_SYS(sched_setattr), SCMP_SYS(prlimit64)});
  if (!std::ranges::all_of(own, [&](int call) { return allow_if(filter, call, masked_equal(0, kWord, 0)); }))
    return false;
  const std::array<scmp_arg_cmp, 2> own_priority{masked_equal(0, kWord, PRIO_PROCESS), masked_equal(1, kWord, 0)};
  return ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(setpriority), 2, own_priority.data()) == 0;
}

// Named pipes and empty files, but no devices: a whiteout of overlayfs is one too, which the kernel lets every user
// make. The type is all that is looked at; the kernel ignores what is above the mode's 16 bits.
bool add_nodes(void* filter) {
  constexpr auto kAllowedTypes = std::to_array<std::uint64_t>({0, S_IFREG, S_IFIFO});
  constexpr auto kForbiddenTypes = std::to_array<std::uint64_t>({S_IFCHR, S_IFBLK});
  const auto calls = std::to_array<std::pair<int, unsigned>>({{SCMP_SYS(mknod), 1}, {SCMP_SYS(mknodat), 2}});
  return std::ranges::all_of(calls, [&](const auto& call) {
    const auto [number, mode] = call;
    return std::ranges::all_of(
               kAllowedTypes,
               [&](std::uint64_t type) { return allow_if(filter, number, masked_equal(mode, S_IFMT, type)); }) &&
           std::ranges::all_of(kForbiddenTypes, [&](std::uint64_t type) {
             return forbid_if(filter, number, masked_equal(mode, S_IFMT, type));
           });
  });
}

// personality(0xffffffff) only asks.
bool add_personality(void* filter) {
  return allow_if(filter, SCMP_SYS(personality), equal(0, 0xffffffffULL));
}

bool add_rules(void* filter) {
  for (const char* name : kAllowed) {
    if (!add_call(filter, SCMP_ACT_ALLOW, name)) return false;
  }
  for (const char* name : kNothingToDo) {
    if (!add_call(filter, SCMP_ACT_ERRNO(0), name)) return false;
  }
  for (const char* name : kForbidden) {
    if (!add_call(filter, SCMP_ACT_ERRNO(EPERM), name)) return false;
  }
  return add_clone(filter) && add_ioctls(filter) && add_fcntl(filter) && add_memory(filter) && add_scheduling(filter) &&
         add_nodes(filter) && add_personality(filter);
}

}  // namespace

Result<SeccompProgram> compile_seccomp_filter() {
  auto rest = compile_seccomp(SCMP_ACT_ERRNO(ENOSYS), add_rules);
  if (!rest) return rest;
  SeccompProgram program = refusals_by_argument();
  program.insert(program.end(), rest->begin(), rest->end());
  return program;
}

Result<SeccompProgram> compile_init_filter() {
  return compile_seccomp(SCMP_ACT_ERRNO(ENOSYS), [](void* filter) {
    return std::ranges::all_of(kAllowedToInit,
                               [&](const char* name) { return add_call(filter, SCMP_ACT_ALLOW, name); });
  });
}

}  // namespace infra::sandbox
