#include "sandbox/confinement/program_view.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "sandbox/system/mounts.h"
#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

namespace fs = std::filesystem;

// The root is put together here: nothing that is shown is below it.
constexpr const char* kBuildSite = "/sys";
constexpr std::uint64_t kNoPrograms = kHarmless | MOUNT_ATTR_NOEXEC;

// Libraries that are loaded late (name services, certificate stores' modules), authorities, time zones: no programs.
constexpr std::array<const char*, 8> kOfUsr{"/usr/lib",
                                            "/usr/lib32",
                                            "/usr/lib64",
                                            "/usr/libx32",
                                            "/usr/local/lib",
                                            "/usr/local/share/ca-certificates",
                                            "/usr/share/ca-certificates",
                                            "/usr/share/zoneinfo"};
constexpr std::array<const char*, 4> kLibraries{"/lib", "/lib32", "/lib64", "/libx32"};
constexpr std::array<const char*, 5> kDevices{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
// Name services that are asked through a socket.
constexpr const char* kResolved = "/run/systemd/resolve";

// `folder` below the root, with all that leads to it. What is there already may be read-only.
Result<void> make_folders(const std::string& root, const fs::path& folder) {
  std::string path = root;
  for (const auto& name : folder.relative_path()) {
    path += "/" + name.string();
    if (auto made = make_folder(path); !made) return made;
  }
  return {};
}

bool is_beneath(const fs::path& path, const fs::path& folder) {
  return std::ranges::mismatch(folder, path).in1 == folder.end();
}

class Root {
 public:
  explicit Root(std::string path) : path_(std::move(path)) {}

  // Nothing if there is none, or one above it is shown already.
  Result<void> show(const fs::path& folder) {
    std::error_code ignored;
    const bool shown = std::ranges::any_of(shown_, [&](const fs::path& above) { return is_beneath(folder, above); });
    if (shown || folder == folder.root_path() || !fs::is_directory(folder, ignored)) return {};
    shown_.push_back(folder);
    const auto tree = clone_mount(folder.string(), kReadOnly);
    return tree ? attach_at(*tree, folder) : fail(tree.error());
  }

  Result<void> attach_at(const UniqueFd& tree, const fs::path& at) const {
    if (auto made = make_folders(path_, at); !made) return made;
    return attach(tree, path_ + at.string());
  }

  Result<void> show_libraries() {
    for (const char* folder : kOfUsr) {
      if (auto shown = show(folder); !shown) return shown;
    }
    for (const char* folder : kLibraries) {
      std::error_code no_link;
      const auto link = fs::read_symlink(folder, no_link);
      if (!no_link && ::symlink(link.c_str(), (path_ + folder).c_str()) != 0)
        return system_failure(std::string("linking ") + folder);
      if (!no_link) continue;
      if (auto shown = show(folder); !shown) return shown;
    }
    return {};
  }

  // resolv.conf is often a link to a file that a daemon replaces.
  Result<void> show_names() {
    if (auto shown = show("/etc"); !shown) return shown;
    std::error_code none;
    const auto resolv_conf = fs::canonical("/etc/resolv.conf", none);
    if (!none) {
      if (auto shown = show(resolv_conf.parent_path()); !shown) return shown;
    }
    return show(kResolved);
  }

  Result<void> show_devices() {
    if (auto made = make_folder(path_ + "/dev"); !made) return made;
    for (const char* device : kDevices) {
      if (auto made = make_file(path_ + device); !made) return made;
      if (auto bound = bind_into(device, path_ + device, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC); !bound) return bound;
    }
    return {};
  }

  // Its own processes, and the machine's counts. A container's user namespace may allow no new one.
  Result<void> show_processes() {
    const std::string proc = path_ + "/proc";
    if (auto made = make_folder(proc); !made) return made;
    constexpr unsigned long kFlags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (mount_new("proc", proc, kFlags, "hidepid=invisible")) return {};
    return bind_into("/proc", proc, kReadOnly | MOUNT_ATTR_NOEXEC);
  }

 private:
  const std::string path_;
  std::vector<fs::path> shown_;
};

Result<void> make_read_only() {
  if (::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) != 0)
    return system_failure("making the program's root read-only");
  return {};
}

}  // namespace

Result<void> enter_view(const ProgramView& view) {
  // Before the new namespace, which its descriptor is not of.
  const auto data = clone_mount("/proc/self/fd/" + std::to_string(view.data), kNoPrograms);
  if (!data) return fail(data.error());
  if (::unshare(CLONE_NEWNS) != 0) return system_failure("making a mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return system_failure("making mounts private");
  const mode_t mask = ::umask(022);
  Root root(kBuildSite);
  auto entered = in_order(
      [&] { return mount_new("tmpfs", kBuildSite, MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=1024,mode=755"); },
      [&] { return root.show_libraries(); }, [&] { return root.show_names(); }, [&] { return root.show_devices(); },
      [&] {
        for (const auto& folder : view.folders) {
          if (auto shown = root.show(folder); !shown) return shown;
        }
        return Result<void>{};
      },
      [&] { return root.attach_at(*data, view.data_path); }, [&] { return root.show_processes(); },
      [&] { return enter_root(kBuildSite); }, [&] { return make_read_only(); });
  ::umask(mask);
  return entered;
}

}  // namespace infra::sandbox
