#include "sandbox/system/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <utility>

#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

using CapabilitySets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

constexpr std::array<std::pair<int, const char*>, 12> kNeeded{{
    {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
    {CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
    {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
    {CAP_SETUID, "CAP_SETUID"},
    {CAP_SETGID, "CAP_SETGID"},
    {CAP_SETPCAP, "CAP_SETPCAP"},
    {CAP_KILL, "CAP_KILL"},
    {CAP_CHOWN, "CAP_CHOWN"},
    {CAP_FOWNER, "CAP_FOWNER"},
    {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
    {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"},
    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},  // for the namespaces of an init that has given up its rights before
}};

CapabilitySets current_sets() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  CapabilitySets sets{};
  ::syscall(SYS_capget, &header, sets.data());
  return sets;
}

bool has_capability(const CapabilitySets& sets, int capability) {
  const auto word = static_cast<std::size_t>(capability) / 32;
  return (sets[word].effective & (1U << (static_cast<unsigned>(capability) % 32))) != 0;
}

// Whether the user namespace that this process is in has a number for it: a line is "inside outside count".
bool is_mapped(const char* map, std::uint64_t id) {
  std::ifstream file(map);
  std::uint64_t inside = 0, outside = 0, count = 0;
  while (file >> inside >> outside >> count) {
    if (id >= inside && id - inside < count) return true;
  }
  return false;
}

}  // namespace

Result<void> drop_bounding_set() {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
    return system_failure("clearing ambient capabilities");
  // The kernel answers EINVAL past its last capability.
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1 && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      return system_failure("dropping the capability bounding set");
    }
  }
  return {};
}

Result<void> drop_capability_sets() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const CapabilitySets none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return system_failure("dropping capabilities");
  return {};
}

Result<void> keep_one_capability(int capability) {
  const CapabilitySets sets = current_sets();
  if (has_capability(sets, CAP_SETPCAP)) {
    if (auto dropped = drop_bounding_set(); !dropped) return dropped;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  CapabilitySets one{};
  if (has_capability(sets, capability)) {
    const auto word = static_cast<std::size_t>(capability) / 32;
    one[word].effective = one[word].permitted = 1U << (static_cast<unsigned>(capability) % 32);
  }
  if (::syscall(SYS_capset, &header, one.data()) != 0) return system_failure("dropping capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_failure("setting no_new_privs");
  return {};
}

Result<void> drop_privileges(std::optional<Identity> become) {
  const CapabilitySets sets = current_sets();
  if (has_capability(sets, CAP_SETPCAP)) {
    if (auto dropped = drop_bounding_set(); !dropped) return dropped;
  }
  const bool may_set_groups = has_capability(sets, CAP_SETGID);
  if ((become || may_set_groups) && ::setgroups(0, nullptr) != 0)
    return system_failure("giving up supplementary groups");
  if (become) {
    if (::setresgid(become->gid, become->gid, become->gid) != 0) return system_failure("switching the group id");
    if (::setresuid(become->uid, become->uid, become->uid) != 0) return system_failure("switching the user id");
  }
  if (auto dropped = drop_capability_sets(); !dropped) return dropped;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_failure("setting no_new_privs");
  return {};
}

Result<void> forbid_core_dumps() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return system_failure("forbidding core files");
  // A core_pattern that is a pipe ignores that limit. Nor can another process of this uid attach to it.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return system_failure("forbidding dumps");
  return {};
}

bool has_capabilities() {
  const CapabilitySets sets = current_sets();
  return sets[0].permitted != 0 || sets[1].permitted != 0;
}

bool can_mount() {
  return has_capability(current_sets(), CAP_SYS_ADMIN);
}

bool can_become(const Identity& other) {
  const CapabilitySets sets = current_sets();
  return has_capability(sets, CAP_SETUID) && has_capability(sets, CAP_SETGID) && has_capability(sets, CAP_CHOWN) &&
         is_mapped("/proc/self/uid_map", other.uid) && is_mapped("/proc/self/gid_map", other.gid);
}

std::string missing_capabilities() {
  const CapabilitySets sets = current_sets();
  std::string missing;
  for (const auto& [capability, name] : kNeeded) {
    if (has_capability(sets, capability)) continue;
    missing += missing.empty() ? name : std::string(", ") + name;
  }
  return missing;
}

}  // namespace infra::sandbox
