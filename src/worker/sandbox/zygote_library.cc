// What zygote.py calls: it clones itself into a new sandbox's namespaces, and comes back in the process that is to be
// that sandbox's runner. A library, because the interpreter has to be the one that is forked.
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>

#include "worker/sandbox/message_socket.h"
#include "worker/sandbox/sandbox_init.h"
#include "worker/sandbox/seccomp_filter.h"
#include "worker/sandbox/zygote_protocol.h"

namespace infra::worker {
namespace {

constexpr int kSocketFd = 3;

struct State {
  SpawnerOptions options;
  SeccompProgram seccomp;
  ZygoteRequest request;
  PassedFds fds;
};
State& state() {
  static State kept;
  return kept;
}

std::vector<std::string> join_files(const ZygoteRequest& request) {
  std::vector<std::string> files;
  for (const auto& file : request.join_files) {
    if (file[0] != '\0') files.emplace_back(file.data());
  }
  return files;
}

// The spawner, whose child the zygote is, becomes the parent: it waits for its sandboxes itself.
pid_t clone_init(const PassedFds& fds, bool into_group, int& pid_fd) {
  clone_args arguments{};
  arguments.flags =
      CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD | CLONE_PARENT;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pid_fd);
  if (into_group) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(fds[1].get());
  }
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

}  // namespace
}  // namespace infra::worker

using namespace infra::worker;  // NOLINT: the functions below have C's names

extern "C" {

// 0 when the spawner has been told that the zygote is ready.
__attribute__((visibility("default"))) int infra_zygote_open(const char* versions_root, const char* runners,
                                                             unsigned base_uid) {
  State& own = state();
  own.options.versions_root = versions_root;
  own.options.runners = runners;
  own.options.base_uid = base_uid;
  auto seccomp = compile_seccomp_filter();
  if (!seccomp) return -1;
  own.seccomp = std::move(*seccomp);
  return send_message(kSocketFd, ZygoteReply{.kind = ZygoteReplyKind::ready}) ? 0 : -1;
}

// Waits for a request: 1 if there is one, 0 when the spawner has gone.
__attribute__((visibility("default"))) int infra_zygote_receive() {
  State& own = state();
  return receive_message(kSocketFd, own.request, &own.fds) == Received::message ? 1 : 0;
}

// 0 in the zygote, 1 in the runner of the new sandbox.
__attribute__((visibility("default"))) int infra_zygote_fork() {
  State& own = state();
  int pid_fd = -1;
  const pid_t child = clone_init(own.fds, own.request.into_group != 0, pid_fd);
  if (child == 0) {
    const SandboxPlan plan{.options = own.options,
                           .seccomp = own.seccomp,
                           .slot = own.request.slot,
                           .purpose = LaunchPurpose::run,
                           .runner = own.options.runners / "python",
                           .join_files = join_files(own.request),
                           .command = std::nullopt};
    run_sandbox_init(plan, own.fds[0].get());
    for (auto& fd : own.fds) (void)fd.release();  // closed by now
    return 1;
  }
  const UniqueFd owned(pid_fd);
  ZygoteReply reply{
      .kind = child > 0 ? ZygoteReplyKind::forked : ZygoteReplyKind::failed, .pid = child, .error = errno};
  send_message(kSocketFd, reply, std::span(&pid_fd, child > 0 ? 1 : 0));
  own.fds = {};
  return 0;
}
}
