#include "worker/sandbox/sandbox_root.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

#include "worker/sandbox/system_error.h"
#include "worker/sandbox/user_namespace.h"

namespace infra::worker {
namespace {

// The new root is put together here. /sys is on every machine (the control groups are in it) and no source of ours is
// below it.
constexpr const char* kBuildSite = "/sys";
constexpr const char* kScratchOptions = "size=64m,nr_inodes=16384";
constexpr std::uint64_t kHarmless = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr std::uint64_t kReadOnly = kHarmless | MOUNT_ATTR_RDONLY;

Result<void> make_folder(const std::string& path, mode_t mode = 0755) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return system_failure("making " + path);
  return {};
}

Result<void> make_file(const std::string& path, std::string_view text = "") {
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

// A detached copy of the mount at `source`, which takes its attributes before anybody can see it.
Result<UniqueFd> clone_mount(const std::string& source, std::uint64_t attributes, int id_map = -1) {
  UniqueFd tree(::open_tree(AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!tree.valid()) return system_failure("opening " + source);
  struct mount_attr attr{};
  attr.attr_set = attributes;
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

Result<void> bind_into(const std::string& source, const std::string& target, std::uint64_t attributes = kReadOnly) {
  auto tree = clone_mount(source, attributes);
  if (!tree) return fail(tree.error());
  return attach(*tree, target);
}

// Runs steps in order until one fails.
template <typename... Step>
Result<void> in_order(Step... step) {
  Result<void> result;
  (void)((result = step(), result.has_value()) && ...);
  return result;
}

// /usr is all a runtime needs; /usr/local is this machine's own affair.
Result<void> add_system(const std::string& root) {
  if (auto made = make_folder(root + "/usr"); !made) return made;
  if (auto bound = bind_into("/usr", root + "/usr"); !bound) return bound;
  if (::access((root + "/usr/local").c_str(), F_OK) == 0) {
    auto hidden =
        mount_new("tmpfs", root + "/usr/local", MS_RDONLY | MS_NOSUID | MS_NODEV, "size=0,nr_inodes=1,mode=755");
    if (!hidden) return hidden;
  }
  for (const char* name : {"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"}) {
    std::error_code error;
    const auto link = std::filesystem::read_symlink(name, error);
    if (!error) {
      if (::symlink(link.c_str(), (root + name).c_str()) != 0) return system_failure(std::string("linking ") + name);
      continue;
    }
    if (!std::filesystem::is_directory(name, error)) continue;  // a system with no merged /usr has real folders
    if (auto made = make_folder(root + name); !made) return made;
    if (auto bound = bind_into(name, root + name); !bound) return bound;
  }
  return {};
}

Result<void> add_etc(const std::string& root) {
  const std::string etc = root + "/etc";
  if (auto made = make_folder(etc); !made) return made;
  constexpr std::array<std::pair<const char*, const char*>, 6> kSynthetic{{
      {"/passwd", "sandbox:x:1000:1000:sandbox:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
      {"/group", "sandbox:x:1000:\nnogroup:x:65534:\n"},
      {"/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"},
      {"/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
      {"/hostname", "sandbox\n"},
      {"/resolv.conf", ""},
  }};
  for (const auto& [name, text] : kSynthetic) {
    if (auto made = make_file(etc + name, text); !made) return made;
  }
  if (auto made = make_folder(etc + "/ssl"); !made) return made;
  std::error_code error;
  for (const char* name : {"/ld.so.cache", "/localtime", "/alternatives", "/ssl/certs", "/ssl/openssl.cnf", "/python3",
                           "/python3.11", "/mime.types"}) {
    const std::string source = std::string("/etc") + name;
    const auto status = std::filesystem::status(source, error);
    if (std::filesystem::is_directory(status)) {
      if (auto made = make_folder(etc + name); !made) return made;
    } else if (std::filesystem::is_regular_file(status)) {
      if (auto made = make_file(etc + name); !made) return made;
    } else {
      continue;
    }
    if (auto bound = bind_into(source, etc + name); !bound) return bound;
  }
  return {};
}

Result<void> add_devices(const std::string& root) {
  const std::string dev = root + "/dev";
  if (auto made = make_folder(dev); !made) return made;
  for (const char* name : {"/null", "/zero", "/full", "/random", "/urandom"}) {
    if (auto made = make_file(dev + name); !made) return made;
    if (auto bound = bind_into(std::string("/dev") + name, dev + name, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC); !bound)
      return bound;
  }
  constexpr std::array<std::pair<const char*, const char*>, 4> kLinks{{{"/fd", "/proc/self/fd"},
                                                                       {"/stdin", "/proc/self/fd/0"},
                                                                       {"/stdout", "/proc/self/fd/1"},
                                                                       {"/stderr", "/proc/self/fd/2"}}};
  for (const auto& [name, target] : kLinks) {
    if (::symlink(target, (dev + name).c_str()) != 0) return system_failure("linking /dev" + std::string(name));
  }
  if (auto made = make_folder(dev + "/shm"); !made) return made;
  return mount_new("tmpfs", dev + "/shm", MS_NOSUID | MS_NODEV, "size=16m,nr_inodes=1024,mode=1777");
}

// A proc of its own shows only its own processes, but also the machine's switches and tables: those are covered.
Result<void> add_proc(const std::string& root) {
  const std::string proc = root + "/proc";
  if (auto made = make_folder(proc); !made) return made;
  if (auto made = mount_new("proc", proc, MS_NOSUID | MS_NODEV | MS_NOEXEC, ""); !made) return made;
  std::error_code error;
  for (const char* name : {"/sys", "/bus", "/fs", "/irq", "/tty", "/driver"}) {
    if (!std::filesystem::exists(proc + name, error)) continue;
    if (auto bound = bind_into(proc + name, proc + name, kReadOnly | MOUNT_ATTR_NOEXEC); !bound) return bound;
  }
  for (const char* name : {"/kcore", "/keys", "/key-users", "/sysrq-trigger", "/timer_list", "/latency_stats",
                           "/sched_debug", "/kmsg", "/kallsyms", "/kpagecount", "/kpageflags", "/kpagecgroup",
                           "/config.gz", "/slabinfo", "/vmallocinfo", "/iomem", "/ioports", "/cmdline"}) {
    if (!std::filesystem::exists(proc + name, error)) continue;
    if (auto bound = bind_into("/dev/null", proc + name, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
        !bound)
      return bound;
  }
  for (const char* name : {"/acpi", "/scsi", "/asound"}) {
    if (!std::filesystem::exists(proc + name, error)) continue;
    auto hidden = mount_new("tmpfs", proc + name, MS_RDONLY | MS_NOSUID | MS_NODEV, "size=0,nr_inodes=1,mode=755");
    if (!hidden) return hidden;
  }
  return {};
}

// /output and /tmp for the function; /.stage for what /workspace is made of, seen by nobody.
Result<void> add_scratch(const std::string& root, uid_t uid) {
  const std::string owner = ",uid=" + std::to_string(uid) + ",gid=" + std::to_string(uid);
  for (const char* name : {"/output", "/tmp"}) {
    if (auto made = make_folder(root + name); !made) return made;
    const std::string data = kScratchOptions + owner + ",mode=700";
    if (auto mounted = mount_new("tmpfs", root + name, MS_NOSUID | MS_NODEV, data); !mounted) return mounted;
  }
  for (const char* name : {"/workspace", "/runtime", "/.stage"}) {
    if (auto made = make_folder(root + name); !made) return made;
  }
  const std::string stage = root + "/.stage";
  auto mounted = mount_new("tmpfs", stage, MS_NOSUID | MS_NODEV, std::string(kScratchOptions) + ",mode=700");
  if (!mounted) return mounted;
  for (const char* name : {"/versions", "/lower", "/upper", "/work"}) {
    if (auto made = make_folder(stage + name); !made) return made;
  }
  if (::chown((stage + "/upper").c_str(), uid, uid) != 0) return system_failure("giving away the workspace");
  return {};
}

Result<void> enter_root(const std::string& root) {
  if (::chdir(root.c_str()) != 0) return system_failure("entering the new root");
  // pivot_root(2), NOTES: with "." twice the old root lies on top of the new one and is taken off.
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return system_failure("changing the root");
  if (::umount2(".", MNT_DETACH) != 0) return system_failure("leaving the old root");
  if (::chdir("/") != 0) return system_failure("entering the new root");
  return {};
}

constexpr const char* kVersions = "/.stage/versions";

// The code's owner on disk becomes the slot's uid, in this mount only: the function owns its files and may change its
// copy.
Result<UniqueFd> make_code_map(uid_t owner, gid_t group, uid_t uid) {
  return make_user_namespace({.uid_inside = owner, .uid_outside = uid, .gid_inside = group, .gid_outside = uid});
}

Result<void> prepare_code_map(PreparedRoot& prepared, uid_t uid) {
  struct stat info{};
  if (::stat(kVersions, &info) != 0) return system_failure("finding the versions root");
  auto map = make_code_map(info.st_uid, info.st_gid, uid);
  if (!map) return fail(map.error());
  prepared.code_uid = info.st_uid;
  prepared.code_gid = info.st_gid;
  prepared.code_map = std::move(*map);
  return {};
}

Result<UniqueFd> clone_version(const PreparedRoot& prepared, const std::string& folder, uid_t uid) {
  struct stat info{};
  if (::lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return system_failure("finding the version's code", ENOENT);
  }
  if (info.st_uid == prepared.code_uid && info.st_gid == prepared.code_gid) {
    return clone_mount(folder, kReadOnly, prepared.code_map.get());
  }
  auto map = make_code_map(info.st_uid, info.st_gid, uid);
  if (!map) return fail(map.error());
  return clone_mount(folder, kReadOnly, map->get());
}

}  // namespace

Result<PreparedRoot> prepare_root(const SpawnerOptions& options, const std::filesystem::path& runner, uid_t uid) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return system_failure("making mounts private");
  auto versions = clone_mount(options.versions_root.string(), kReadOnly);
  if (!versions) return fail(versions.error());
  auto program = clone_mount(runner.string(), kReadOnly);
  if (!program) return fail(program.error());
  PreparedRoot prepared;
  const std::string root = kBuildSite;
  const auto built = in_order(
      [&] { return mount_new("tmpfs", root, MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=256,mode=755"); },
      [&] { return add_system(root); }, [&] { return add_etc(root); }, [&] { return add_devices(root); },
      [&] { return add_proc(root); }, [&] { return add_scratch(root, uid); },
      [&] { return attach(*program, root + "/runtime"); }, [&] { return attach(*versions, root + "/.stage/versions"); },
      [&] { return enter_root(root); }, [&] { return prepare_code_map(prepared, uid); });
  if (!built) return fail(built.error());
  return prepared;
}

Result<void> widen_scratch() {
  constexpr unsigned long kFlags = MS_REMOUNT | MS_NOSUID | MS_NODEV;
  if (::mount(nullptr, "/tmp", nullptr, kFlags, "size=512m,nr_inodes=65536") != 0)
    return system_failure("widening /tmp");
  return {};
}

Result<void> finish_root(const PreparedRoot& prepared, std::string_view version, uid_t uid) {
  auto lower = clone_version(prepared, std::string(kVersions) + "/" + std::string(version), uid);
  if (!lower) return fail(lower.error());
  if (auto attached = attach(*lower, "/.stage/lower"); !attached) return attached;
  const auto overlay = mount_new("overlay", "/workspace", MS_NOSUID | MS_NODEV,
                                 "lowerdir=/.stage/lower,upperdir=/.stage/upper,workdir=/.stage/work");
  if (!overlay) return overlay;
  // The overlay keeps its layers; other functions' code must not stay reachable.
  if (::umount2("/.stage", MNT_DETACH) != 0) return system_failure("hiding the workspace's layers");
  ::rmdir("/.stage");
  struct mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(AT_FDCWD, "/", 0, &read_only, sizeof read_only) != 0)
    return system_failure("making the root read-only");
  return {};
}

}  // namespace infra::worker
