#include "sandbox/inside/sandbox_root.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <string>

#include "sandbox/system/mounts.h"
#include "sandbox/system/system_error.h"
#include "sandbox/system/user_namespace.h"

namespace infra::sandbox {
namespace {

constexpr const char* kBytes = "64m";  // less than the least memory limit, which it counts against
constexpr const char* kInodes = "16384";
constexpr const char* kWorkspace = "/workspace";

// A copy, because what is mounted in the template itself would be in all that are copied later.
Result<void> enter_copy(int root_template) {
  if (::setns(root_template, CLONE_NEWNS) != 0) return system_failure("entering the root's template");
  if (::unshare(CLONE_NEWNS) != 0) return system_failure("copying the root's template");
  return {};
}

std::vector<std::string> those_that_are_there(std::initializer_list<const char*> paths) {
  std::vector<std::string> found;
  std::ranges::copy_if(paths, std::back_inserter(found), [](const char* path) { return ::access(path, F_OK) == 0; });
  return found;
}

// A proc of its own shows only its own processes, but also the machine's switches and tables: those are covered.
Result<void> add_proc(const ProcCovers& covers) {
  if (auto made = mount_new("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, ""); !made) return made;
  struct mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  const auto bind = [](const std::string& source, const std::string& target) -> Result<void> {
    if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0)
      return system_failure("covering " + target);
    return {};
  };
  for (const auto& name : covers.read_only) {
    if (auto bound = bind(name, name); !bound) return bound;
    if (::mount_setattr(AT_FDCWD, name.c_str(), 0, &read_only, sizeof read_only) != 0)
      return system_failure("restricting " + name);
  }
  // The others take the attributes of the first.
  for (const auto& name : covers.files) {
    const auto& first = covers.files.front();
    auto bound = &name == &first
                     ? bind_into("/dev/null", first, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
                     : bind(first, name);
    if (!bound) return bound;
  }
  for (const auto& name : covers.folders) {
    if (auto bound = bind(kWorkspace, name); !bound) return bound;  // the template's, which is empty
  }
  return {};
}

// The template's nodes, each with an inode of its own here, and so with locks of its own. Where the spawner may make no
// nodes the template shows the machine's instead.
Result<void> add_devices() {
  if (::access(kDevices, F_OK) != 0) return {};
  const std::string layers = std::string("lowerdir=") + kDevices + ":" + kWorkspace;  // it takes two
  return mount_new("overlay", "/dev", MS_RDONLY | MS_NOSUID | MS_NOEXEC, layers);
}

Result<void> add_output(uid_t uid) {
  const std::string owner = ",uid=" + std::to_string(uid) + ",gid=" + std::to_string(uid);
  const std::string size = std::string("size=") + kBytes + ",nr_inodes=" + kInodes;
  return mount_new("tmpfs", "/output", MS_NOSUID | MS_NODEV, size + owner + ",mode=700");
}

// What else can be written lies on one file system, of which the function sees three folders, each as a mount of its
// own. Gives the whole of it, mounted nowhere, for /workspace.
Result<UniqueFd> add_scratch(uid_t uid) {
  const std::string whole = "/tmp";
  auto made = make_detached("tmpfs", {{"size", kBytes}, {"nr_inodes", kInodes}, {"mode", "700"}});
  if (!made) return made;
  for (const char* name : {"versions", "lower", "upper", "work", "tmp", "shm"}) {
    if (::mkdirat(made->get(), name, 0755) != 0) return system_failure("making the scratch folders");
  }
  if (::fchownat(made->get(), "upper", uid, uid, 0) != 0 || ::fchownat(made->get(), "tmp", uid, uid, 0) != 0 ||
      ::fchmodat(made->get(), "tmp", 0700, 0) != 0 || ::fchmodat(made->get(), "shm", 01777, 0) != 0)
    return system_failure("giving away the scratch folders");
  if (auto attached = attach(*made, whole); !attached) return fail(attached.error());  // nothing else can be cloned
  auto stage = clone_mount(whole, kHarmless);
  auto tmp = clone_mount(whole + "/tmp", kHarmless);
  auto shm = clone_mount(whole + "/shm", kHarmless);
  for (const auto* cloned : {&stage, &tmp, &shm}) {
    if (!*cloned) return fail(cloned->error());
  }
  if (::umount2(whole.c_str(), MNT_DETACH) != 0) return system_failure("hiding the scratch folders");
  if (auto attached = attach(*tmp, "/tmp"); !attached) return fail(attached.error());
  if (auto attached = attach(*shm, "/dev/shm"); !attached) return fail(attached.error());
  return stage;
}

// The code's owner on disk becomes the slot's uid, in this mount only: the function owns its files and may change its
// copy.
Result<UniqueFd> make_code_map(uid_t owner, gid_t group, uid_t uid) {
  return make_user_namespace({.uid_inside = owner, .uid_outside = uid, .gid_inside = group, .gid_outside = uid});
}

Result<void> prepare_code_map(PreparedRoot& prepared, uid_t uid) {
  struct stat info{};
  if (::fstat(prepared.versions.get(), &info) != 0) return system_failure("finding the versions root");
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

ProcCovers find_proc_covers() {
  return {.read_only =
              those_that_are_there({"/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/tty", "/proc/driver"}),
          .files = those_that_are_there({"/proc/cmdline", "/proc/kcore", "/proc/keys", "/proc/key-users",
                                         "/proc/sysrq-trigger", "/proc/timer_list", "/proc/latency_stats",
                                         "/proc/sched_debug", "/proc/kmsg", "/proc/kallsyms", "/proc/kpagecount",
                                         "/proc/kpageflags", "/proc/kpagecgroup", "/proc/config.gz", "/proc/slabinfo",
                                         "/proc/vmallocinfo", "/proc/iomem", "/proc/ioports", "/proc/locks"}),
          .folders = those_that_are_there({"/proc/acpi", "/proc/scsi", "/proc/asound", "/proc/pressure"})};
}

Result<PreparedRoot> prepare_root(const SpawnerOptions& options, int root_template, const ProcCovers& proc, uid_t uid) {
  auto versions = clone_mount(options.versions_root.string(), kReadOnly);
  if (!versions) return fail(versions.error());
  const auto built = in_order([&] { return enter_copy(root_template); }, [&] { return add_devices(); },
                              [&] { return add_proc(proc); }, [&] { return add_output(uid); });
  if (!built) return fail(built.error());
  auto stage = add_scratch(uid);
  if (!stage) return fail(stage.error());
  PreparedRoot prepared;
  prepared.versions = std::move(*versions);
  prepared.stage = std::move(*stage);
  if (auto mapped = prepare_code_map(prepared, uid); !mapped) return fail(mapped.error());
  return prepared;
}

Result<void> widen_scratch() {
  constexpr unsigned long kFlags = MS_REMOUNT | MS_NOSUID | MS_NODEV;
  if (::mount(nullptr, "/tmp", nullptr, kFlags, "size=512m,nr_inodes=65536") != 0)
    return system_failure("widening /tmp");
  return {};
}

Result<void> finish_root(PreparedRoot& prepared, std::string_view version, uid_t uid) {
  // On /output, where nothing of the function's is yet. Not on /workspace: a runner may be just going there.
  const std::string stage = "/output";
  if (auto attached = attach(prepared.stage, stage); !attached) return attached;
  if (auto attached = attach(prepared.versions, stage + "/versions"); !attached) return attached;
  auto lower = clone_version(prepared, stage + "/versions/" + std::string(version), uid);
  if (!lower) return fail(lower.error());
  if (auto attached = attach(*lower, stage + "/lower"); !attached) return attached;
  const auto overlay = make_detached(
      "overlay", {{"lowerdir", stage + "/lower"}, {"upperdir", stage + "/upper"}, {"workdir", stage + "/work"}});
  if (!overlay) return fail(overlay.error());
  // The overlay keeps its layers; other functions' code must not stay reachable.
  if (::umount2(stage.c_str(), MNT_DETACH) != 0) return system_failure("hiding the workspace's layers");
  for (UniqueFd* fd : {&prepared.stage, &prepared.versions, &prepared.code_map}) fd->reset();
  return attach(*overlay, kWorkspace);
}

}  // namespace infra::sandbox
