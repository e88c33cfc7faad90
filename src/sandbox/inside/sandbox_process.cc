#include "sandbox/inside/sandbox_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sandbox/system/cgroup_files.h"
#include "sandbox/system/landlock.h"
#include "sandbox/system/privileges.h"
#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

Result<void> limit_resources() {
  constexpr rlim_t kLargestFile = 128UL * 1024 * 1024;
  constexpr std::array<std::pair<__rlimit_resource, rlim_t>, 6> kLimits{
      {{RLIMIT_CORE, 0},
       {RLIMIT_FSIZE, kLargestFile},
       {RLIMIT_NOFILE, 1024},
       {RLIMIT_MSGQUEUE, 0},
       {RLIMIT_MEMLOCK, 64 * 1024},
       {RLIMIT_SIGPENDING, 128}}};  // timers too, and counted for root as well: all slots together must leave it some
  for (const auto& [resource, most] : kLimits) {
    rlimit now{};
    ::getrlimit(resource, &now);
    const rlim_t value =
        std::min(most, now.rlim_max);  // raising a hard limit needs CAP_SYS_RESOURCE, which we may not have
    const rlimit wanted{value, value};
    if (::setrlimit(resource, &wanted) != 0) return system_failure("limiting resources");
  }
  return {};
}

}  // namespace

bool bind_life_to_spawner() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  pollfd socket{kReportFd, 0, 0};  // it may have died before; then its end of the socket is closed
  return ::poll(&socket, 1, 0) == 0;
}

Result<void> join_groups(const std::vector<std::string>& files) {
  for (const auto& file : files) {
    if (auto joined = write_cgroup(file, "0"); !joined) return joined;
  }
  return {};
}

Result<void> be_killed_first() {
  return write_cgroup("/proc/self/oom_score_adj", "1000");
}

// Order matters: the bounding set needs CAP_SETPCAP, the ids need the new user namespace, the filter comes last of all.
Result<void> give_up_privileges(const SeccompProgram& seccomp, const UniqueFd& user_namespace, SandboxRole role) {
  const bool is_runner = role == SandboxRole::runner;
  // The groups that it is in become the root of what it sees.
  if (is_runner && ::unshare(CLONE_NEWCGROUP) != 0) return system_failure("making a cgroup namespace");
  if (auto limited = limit_resources(); !limited) return limited;
  if (::setns(user_namespace.get(), CLONE_NEWUSER) != 0) return system_failure("entering the user namespace");
  if (auto dropped = drop_bounding_set(); !dropped) return dropped;
  if (::setresgid(kInsideUid, kInsideUid, kInsideUid) != 0) return system_failure("switching the group id");
  if (::setresuid(kInsideUid, kInsideUid, kInsideUid) != 0) return system_failure("switching the user id");
  if (auto dropped = drop_capability_sets(); !dropped) return dropped;
  // The runner, of the same uid, can't open the memory or descriptors of one that is not dumpable in /proc.
  if (::prctl(PR_SET_DUMPABLE, is_runner ? 1 : 0, 0, 0, 0) != 0) return system_failure("protecting init");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_failure("setting no_new_privs");
  if (!is_runner && !bind_life_to_spawner()) return system_failure("waiting for the spawner", EPIPE);
  if (is_runner) {
    if (auto fenced = restrict_to_own_tree(); !fenced) return fenced;
  }
  return install_seccomp_filter(seccomp);
}

// Out of the way of 0 to 3 first: these may already be among them.
Result<void> arrange_descriptors(const RunnerStreams& streams, int& note) {
  constexpr int kAside = 10;
  const int control = ::fcntl(streams.control.get(), F_DUPFD_CLOEXEC, kAside);
  const int out = ::fcntl(streams.out.get(), F_DUPFD_CLOEXEC, kAside);
  const int err = ::fcntl(streams.err.get(), F_DUPFD_CLOEXEC, kAside);
  if (note >= 0) note = ::fcntl(note, F_DUPFD_CLOEXEC, kAside);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (::dup2(null, 0) != 0 || ::dup2(out, 1) != 1 || ::dup2(err, 2) != 2 || ::dup2(control, 3) != 3)
    return system_failure("arranging the runner's descriptors");
  const unsigned kept = note >= 0 ? static_cast<unsigned>(note) : kAside;
  const bool closed = ::close_range(4, kept - 1, 0) == 0 && ::close_range(note >= 0 ? kept + 1 : kept, ~0U, 0) == 0;
  return closed ? Result<void>() : system_failure("closing what is not the runner's");
}

}  // namespace infra::sandbox
