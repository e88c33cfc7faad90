#include "sandbox/system/landlock.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "sandbox/system/system_error.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {
namespace {

// linux/landlock.h, of which the systems that this is built on have different versions.
constexpr std::uint32_t kAskVersion = 1;
constexpr int kPathBeneath = 1;
constexpr std::uint64_t kMakeDevices = 1U << 6 | 1U << 11;             // character and block
constexpr std::uint64_t kAllOfVersion1 = (1U << 13) - 1;               // execute … make symbolic links
constexpr std::uint64_t kRefer = 1U << 13;                             // rename and link between folders: version 2
constexpr std::uint64_t kTruncate = 1U << 14;                          // version 3
constexpr std::uint64_t kScopeAbstractSockets = 1, kScopeSignals = 2;  // version 6

struct RulesetAttribute {
  std::uint64_t handled_fs = 0;
  std::uint64_t handled_net = 0;
  std::uint64_t scoped = 0;
};
struct __attribute__((packed)) PathRule {
  std::uint64_t allowed = 0;
  std::int32_t parent = -1;
};

// An older kernel refuses a structure with more than it knows in it, but takes one that is cut where it ends.
std::size_t size_known_to(int version) {
  if (version >= 6) return sizeof(RulesetAttribute);
  return version >= 4 ? offsetof(RulesetAttribute, scoped) : offsetof(RulesetAttribute, handled_net);
}

}  // namespace

int landlock_version() {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskVersion);
  return version > 0 ? static_cast<int>(version) : 0;
}

Result<void> restrict_to_own_tree() {
  const int version = landlock_version();
  if (version == 0) return {};
  RulesetAttribute attribute;
  attribute.handled_fs = kAllOfVersion1 | (version >= 2 ? kRefer : 0) | (version >= 3 ? kTruncate : 0);
  if (version >= 6) attribute.scoped = kScopeAbstractSockets | kScopeSignals;
  const UniqueFd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attribute, size_known_to(version), 0)));
  if (!rules.valid()) return system_failure("making Landlock rules");
  // One rule for all of the tree. What in it may be written is the mounts' affair: /workspace, which may, is mounted
  // when the runner is already restricted, and a rule on what it then covers counts for nothing.
  const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const PathRule rule{.allowed = attribute.handled_fs & ~kMakeDevices, .parent = root.get()};
  if (::syscall(SYS_landlock_add_rule, rules.get(), kPathBeneath, &rule, 0) != 0)
    return system_failure("adding a Landlock rule");
  if (::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) return system_failure("applying Landlock rules");
  return {};
}

}  // namespace infra::sandbox
