#include "sandbox/confinement/program_filter.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <thread>

namespace infra::sandbox {
namespace {

constexpr int kNoFilter = 99;

// How a process under the filter ends: its exit status, or minus the signal's number.
int under_filter(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ::_exit(install_program_filter() ? body() : kNoFilter);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// errno of a call, 0 if it succeeded.
template <typename... Argument>
int errno_of(long number, Argument... arguments) {
  return under_filter([=] { return ::syscall(number, arguments...) >= 0 ? 0 : errno; });
}

TEST(ProgramFilter, WhatOnlyAnIntruderCallsEndsTheProgram) {
  const char* const none = nullptr;
  const auto ends = [](const char* name, const std::function<int()>& body) {
    EXPECT_EQ(under_filter(body), -SIGSYS) << name;
  };
  ends("execve", [&] { return static_cast<int>(::syscall(SYS_execve, "/bin/true", none, none)); });
  ends("ptrace", [] { return static_cast<int>(::syscall(SYS_ptrace, 0, 0, 0, 0)); });
  ends("mount", [&] { return static_cast<int>(::syscall(SYS_mount, none, none, none, 0, none)); });
  ends("unshare", [] { return static_cast<int>(::syscall(SYS_unshare, CLONE_NEWUSER)); });
  ends("setns", [] { return static_cast<int>(::syscall(SYS_setns, 0, 0)); });
  ends("bpf", [&] { return static_cast<int>(::syscall(SYS_bpf, 0, none, 0)); });
  ends("setuid", [] { return static_cast<int>(::syscall(SYS_setuid, 0)); });
  ends("io_uring_setup", [&] { return static_cast<int>(::syscall(SYS_io_uring_setup, 1, none)); });
  ends("a thread of it", [] {
    std::thread([] { ::syscall(SYS_chroot, "/"); }).join();
    return 0;
  });
}

TEST(ProgramFilter, WhatIsNotOnTheListIsNotThere) {
  EXPECT_EQ(errno_of(SYS_quotactl, 0, nullptr, 0, nullptr), ENOSYS);
  EXPECT_EQ(errno_of(SYS_vhangup), ENOSYS);
  EXPECT_EQ(errno_of(12345), ENOSYS) << "nor is a call of a newer kernel";
  EXPECT_EQ(errno_of(SYS_clone3, nullptr, 0), ENOSYS) << "whose flags no filter sees";
  EXPECT_EQ(errno_of(SYS_socket, AF_PACKET, SOCK_RAW, 0), ENOSYS);
  EXPECT_EQ(errno_of(SYS_socket, AF_VSOCK, SOCK_STREAM, 0), ENOSYS);
  EXPECT_EQ(errno_of(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0), ENOSYS);
  EXPECT_EQ(errno_of(SYS_kill, ::getpid(), 0), ENOSYS) << "another process of the same user";
  EXPECT_EQ(errno_of(SYS_prlimit64, ::getpid(), RLIMIT_NOFILE, nullptr, nullptr), ENOSYS);
  EXPECT_EQ(under_filter([] { return ::fork() < 0 ? errno : 0; }), ENOSYS);
}

TEST(ProgramFilter, WhatTheProgramDoesGoesOn) {
  EXPECT_EQ(under_filter([] {
              int sum = 0;
              std::thread one([&] { sum += 1; });
              one.join();
              std::array<int, 2> ends{};
              const bool talks = ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0 &&
                                 ::socket(AF_INET, SOCK_STREAM, 0) >= 0 && ::socket(AF_INET6, SOCK_STREAM, 0) >= 0;
              ::signal(SIGUSR1, SIG_IGN);
              return sum == 1 && talks && ::raise(SIGUSR1) == 0 && ::kill(::getpid(), 0) == 0 ? 0 : 1;
            }),
            0);
  EXPECT_EQ(under_filter([] {
              ::abort();
              return 0;
            }),
            -SIGABRT);
}

}  // namespace
}  // namespace infra::sandbox
