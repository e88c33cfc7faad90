#include "sandbox/system/isolation.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <string>
#include <vector>

#include "core/operator_error_codes.h"
#include "sandbox/system/cgroup_support.h"
#include "sandbox/system/privileges.h"
#include "sandbox/system/raw_fork.h"

namespace infra::sandbox {
namespace {

// In a child with mounts of its own, so that nothing is left on the machine; the exit code says how far it got.
enum Probe : int { kFine = 0, kNamespaces = 1, kTmpfs = 2, kOverlay = 3, kUserNamespace = 4 };

[[noreturn]] void probe_kernel() {
  if (::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWCGROUP) != 0)
    ::_exit(kNamespaces);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(kNamespaces);
  if (::mount("tmpfs", "/sys", "tmpfs", 0, nullptr) != 0) ::_exit(kTmpfs);
  for (const char* folder : {"/sys/lower", "/sys/upper", "/sys/work", "/sys/merged"}) ::mkdir(folder, 0755);
  if (::mount("overlay", "/sys/merged", "overlay", 0, "lowerdir=/sys/lower,upperdir=/sys/upper,workdir=/sys/work") !=
      0) {
    ::_exit(kOverlay);
  }
  if (::unshare(CLONE_NEWUSER) != 0) ::_exit(kUserNamespace);
  ::_exit(kFine);
}

std::string kernel_lacks() {
  const pid_t child = raw_fork();
  if (child == 0) probe_kernel();
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status))
    return "a child process to test the kernel with";
  switch (WEXITSTATUS(status)) {
    case kFine:
      return "";
    case kNamespaces:
      return "mount, net, ipc, uts, pid and cgroup namespaces (a container may forbid them)";
    case kTmpfs:
      return "mounting a tmpfs (a container may forbid it)";
    case kOverlay:
      return "overlayfs (load the kernel module: modprobe overlay)";
    default:
      return "user namespaces (sysctl user.max_user_namespaces must not be 0)";
  }
}

long max_user_namespaces() {
  std::ifstream file("/proc/sys/user/max_user_namespaces");
  long value = 0;
  file >> value;
  return value;
}

bool has_seccomp_filters() {
  const unsigned int action = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

}  // namespace

Result<void> check_isolation() {
  std::vector<std::string> missing;
  if (const std::string lacking = missing_capabilities(); !lacking.empty()) {
    missing.push_back("the privileges " + lacking);
  } else if (std::string lacks = kernel_lacks(); !lacks.empty()) {
    missing.push_back(std::move(lacks));
  }
  if (max_user_namespaces() == 0) missing.emplace_back("user namespaces (raise the sysctl user.max_user_namespaces)");
  if (!has_seccomp_filters()) missing.emplace_back("seccomp filters (a kernel with CONFIG_SECCOMP_FILTER)");
  if (auto cgroups = check_cgroups(); !cgroups) missing.push_back(cgroups.error().message);
  if (missing.empty()) return {};
  std::string text = "functions can't be isolated here; missing: ";
  for (std::size_t i = 0; i < missing.size(); ++i) text += (i == 0 ? "" : "; ") + missing[i];
  text += ". Start infra as root, or with sudo; or set INFRA_SANDBOX=none to run functions without isolation.";
  return fail(errors::no_isolation, text);
}

}  // namespace infra::sandbox
