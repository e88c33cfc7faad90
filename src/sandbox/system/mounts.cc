#include "sandbox/system/mounts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/system/system_error.h"

namespace infra::sandbox {

Result<void> make_folder(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return system_failure("making " + path);
  return {};
}

Result<void> make_file(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid() || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return system_failure("writing " + path);
  }
  return {};
}

Result<void> mount_new(const char* type, const std::string& target, unsigned long flags, const std::string& data) {
  if (::mount(type, target.c_str(), type, flags, data.c_str()) != 0) return system_failure("mounting " + target);
  return {};
}

Result<UniqueFd> make_detached(const char* type, std::initializer_list<MountOption> options) {
  const UniqueFd context(::fsopen(type, FSOPEN_CLOEXEC));
  bool made = context.valid();
  for (const auto& [name, value] : options)
    made = made && ::fsconfig(context.get(), FSCONFIG_SET_STRING, name, value.c_str(), 0) == 0;
  made = made && ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
  UniqueFd mount(made ? ::fsmount(context.get(), FSMOUNT_CLOEXEC, kHarmless) : -1);
  if (!mount.valid()) return system_failure(std::string("making a file system of type ") + type);
  return mount;
}

Result<UniqueFd> clone_mount(const std::string& source, std::uint64_t attributes, int id_map) {
  UniqueFd tree(::open_tree(AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!tree.valid()) return system_failure("opening " + source);
  struct mount_attr attr{};
  attr.attr_set = attributes;
  attr.propagation = MS_PRIVATE;
  if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) != 0) {
    return system_failure("restricting " + source);
  }
  if (id_map < 0) return tree;
  struct mount_attr map{};
  map.attr_set = MOUNT_ATTR_IDMAP;
  map.userns_fd = static_cast<std::uint64_t>(id_map);
  // File systems without it keep their owner: the function then can't change files that came with its code, only add.
  (void)::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &map, sizeof map);
  return tree;
}

Result<void> attach(const UniqueFd& tree, const std::string& target) {
  if (::move_mount(tree.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return system_failure("attaching " + target);
  }
  return {};
}

Result<void> bind_into(const std::string& source, const std::string& target, std::uint64_t attributes) {
  auto tree = clone_mount(source, attributes);
  if (!tree) return fail(tree.error());
  return attach(*tree, target);
}

Result<void> enter_root(const std::string& root) {
  if (::chdir(root.c_str()) != 0) return system_failure("entering the new root");
  // pivot_root(2), NOTES: with "." twice the old root lies on top of the new one and is taken off.
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return system_failure("changing the root");
  if (::umount2(".", MNT_DETACH) != 0) return system_failure("leaving the old root");
  if (::chdir("/") != 0) return system_failure("entering the new root");
  return {};
}

}  // namespace infra::sandbox
