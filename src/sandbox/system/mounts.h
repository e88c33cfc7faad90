// The mounts that sandboxes are made of, one step a function: each says what failed by the path that it was about.
#pragma once

#include <sys/mount.h>
#include <sys/types.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

inline constexpr std::uint64_t kHarmless = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
inline constexpr std::uint64_t kReadOnly = kHarmless | MOUNT_ATTR_RDONLY;

// One that is there already is fine.
[[nodiscard]] Result<void> make_folder(const std::string& path, mode_t mode = 0755);
[[nodiscard]] Result<void> make_file(const std::string& path, std::string_view text = "");
[[nodiscard]] Result<void> mount_new(const char* type, const std::string& target, unsigned long flags,
                                     const std::string& data);

// A new file system that is mounted nowhere yet, with kHarmless.
using MountOption = std::pair<const char*, std::string>;
[[nodiscard]] Result<UniqueFd> make_detached(const char* type, std::initializer_list<MountOption> options);

// A detached copy of the mount at `source`, and of those below it, which takes its attributes before it can be seen.
// Later mounts in either stay there. `id_map` is a user namespace, for the topmost.
[[nodiscard]] Result<UniqueFd> clone_mount(const std::string& source, std::uint64_t attributes, int id_map = -1);
[[nodiscard]] Result<void> attach(const UniqueFd& tree, const std::string& target);
[[nodiscard]] Result<void> bind_into(const std::string& source, const std::string& target,
                                     std::uint64_t attributes = kReadOnly);
// This process's root becomes the mount at `root`; all others leave its mount namespace.
[[nodiscard]] Result<void> enter_root(const std::string& root);

// Runs steps in order until one fails.
template <typename... Step>
[[nodiscard]] Result<void> in_order(Step... step) {
  Result<void> result;
  (void)((result = step(), result.has_value()) && ...);
  return result;
}

}  // namespace infra::sandbox
