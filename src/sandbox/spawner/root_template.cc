#include "sandbox/spawner/root_template.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "core/error_codes.h"
#include "sandbox/inside/sandbox_root.h"
#include "sandbox/protocol/spawner_protocol.h"
#include "sandbox/spawner/package_folders.h"
#include "sandbox/system/message_socket.h"
#include "sandbox/system/mounts.h"
#include "sandbox/system/raw_fork.h"
#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

// The root is put together here. /sys is on every machine (the control groups are in it) and no source of ours is
// below it.
constexpr const char* kBuildSite = "/sys";
constexpr std::array<const char*, 8> kFromEtc{"/etc/ld.so.cache", "/etc/localtime",       "/etc/alternatives",
                                              "/etc/ssl/certs",   "/etc/ssl/openssl.cnf", "/etc/python3",
                                              "/etc/python3.11",  "/etc/mime.types"};

// What differs between templates.
struct RootSources {
  const std::filesystem::path& runner;
  const std::string& resolv_conf;
  const std::filesystem::path& packages;
};

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

// What was installed on this machine must not be what a function happens to find; the operator says what it may.
Result<void> add_packages(const std::string& root, const std::filesystem::path& packages) {
  const std::string nothing = root + "/workspace";
  for (const auto& folder : package_folders()) {
    if (folder.starts_with("/usr/local/")) continue;  // hidden as a whole
    const bool shows = folder == kPackageFolder && !packages.empty();
    if (auto bound = bind_into(shows ? packages.string() : nothing, root + folder, kReadOnly); !bound) return bound;
  }
  return {};
}

Result<void> add_etc(const std::string& root, const std::string& resolv_conf) {
  const std::string etc = root + "/etc";
  if (auto made = make_folder(etc); !made) return made;
  const std::array<std::pair<const char*, std::string_view>, 6> synthetic{{
      {"/passwd", "sandbox:x:1000:1000:sandbox:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
      {"/group", "sandbox:x:1000:\nnogroup:x:65534:\n"},
      {"/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"},
      {"/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
      {"/hostname", "sandbox\n"},
      {"/resolv.conf", resolv_conf},
  }};
  for (const auto& [name, text] : synthetic) {
    if (auto made = make_file(etc + name, text); !made) return made;
  }
  if (auto made = make_folder(etc + "/ssl"); !made) return made;
  std::error_code error;
  for (const char* source : kFromEtc) {
    const auto status = std::filesystem::status(source, error);
    if (std::filesystem::is_directory(status)) {
      if (auto made = make_folder(root + source); !made) return made;
    } else if (std::filesystem::is_regular_file(status)) {
      if (auto made = make_file(root + source); !made) return made;
    } else {
      continue;
    }
    if (auto bound = bind_into(source, root + source); !bound) return bound;
  }
  return {};
}

// Nodes that lie in the template are each sandbox's own (sandbox_root.cc). Making them takes CAP_MKNOD, and the right
// to it of whoever started the program: else the machine's own are shown, whose locks all see.
Result<void> add_devices(const std::string& root) {
  constexpr std::array<std::pair<const char*, unsigned>, 5> kNodes{
      {{"/null", 3}, {"/zero", 5}, {"/full", 7}, {"/random", 8}, {"/urandom", 9}}};  // minor numbers of memory devices
  std::string dev = root + kDevices;
  if (auto made = make_folder(root + "/dev"); !made) return made;
  if (auto made = make_folder(dev); !made) return made;
  const bool own = std::ranges::all_of(kNodes, [&](const auto& node) {
    const std::string path = dev + node.first;
    return ::mknod(path.c_str(), S_IFCHR | 0666, makedev(1, node.second)) == 0 && ::chmod(path.c_str(), 0666) == 0;
  });
  if (!own) {
    std::error_code error;
    std::filesystem::remove_all(dev, error);
    dev = root + "/dev";
    for (const auto& [name, number] : kNodes) {
      if (auto made = make_file(dev + name); !made) return made;
      if (auto bound = bind_into(std::string("/dev") + name, dev + name, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC); !bound)
        return bound;
    }
  }
  if (auto made = make_folder(dev + "/shm"); !made) return made;
  constexpr std::array<std::pair<const char*, const char*>, 4> kLinks{{{"/fd", "/proc/self/fd"},
                                                                       {"/stdin", "/proc/self/fd/0"},
                                                                       {"/stdout", "/proc/self/fd/1"},
                                                                       {"/stderr", "/proc/self/fd/2"}}};
  for (const auto& [name, target] : kLinks) {
    if (::symlink(target, (dev + name).c_str()) != 0) return system_failure("linking /dev" + std::string(name));
  }
  return {};
}

Result<void> add_mount_points(const std::string& root) {
  for (const char* name : {"/proc", "/output", "/tmp", "/workspace", "/runtime"}) {
    if (auto made = make_folder(root + name); !made) return made;
  }
  return {};
}

// The file system, which all sandboxes share, not only the mounts of it.
Result<void> make_read_only() {
  if (::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) != 0)
    return system_failure("making the root read-only");
  return {};
}

// In a process of its own, whose mount namespace becomes the template.
Result<UniqueFd> build(const RootSources& from) {
  if (::unshare(CLONE_NEWNS) != 0) return system_failure("making a mount namespace");
  UniqueFd mounts(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!mounts.valid()) return system_failure("opening a mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return system_failure("making mounts private");
  auto program = clone_mount(from.runner.string(), kReadOnly);
  if (!program) return fail(program.error());
  ::umask(022);
  const std::string root = kBuildSite;
  const auto built =
      in_order([&] { return mount_new("tmpfs", root, MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=256,mode=755"); },
               [&] { return add_system(root); }, [&] { return add_etc(root, from.resolv_conf); },
               [&] { return add_devices(root); }, [&] { return add_mount_points(root); },
               [&] { return add_packages(root, from.packages); }, [&] { return attach(*program, root + "/runtime"); },
               [&] { return enter_root(root); }, [&] { return make_read_only(); });
  if (!built) return fail(built.error());
  return mounts;
}

[[noreturn]] void build_and_send(const RootSources& from, int socket) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const auto mounts = build(from);
  InitReport report{.kind = mounts ? InitReportKind::built : InitReportKind::failed};
  std::array<int, 1> fds{mounts ? mounts->get() : -1};
  if (!mounts) put_text(report.text, mounts.error().message);
  send_message(socket, report, std::span(fds).first(mounts ? 1 : 0));
  ::_exit(0);
}

Result<UniqueFd> build_elsewhere(const RootSources& from) {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return system_failure("socketpair");
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t builder = raw_fork();
  if (builder < 0) return system_failure("forking the builder of a root");
  if (builder == 0) build_and_send(from, theirs.get());
  theirs.reset();
  InitReport report;
  PassedFds fds;
  const Received received = receive_message(ours.get(), report, &fds);
  ::waitpid(builder, nullptr, 0);
  if (received == Received::cut) return system_failure("receiving a root", EMFILE);
  if (received != Received::message) return system_failure("building a root", EPIPE);
  if (report.kind != InitReportKind::built) return fail(errors::sandbox_failed, std::string(get_text(report.text)));
  return std::move(fds[0]);
}

}  // namespace

Result<int> RootTemplates::get(const std::filesystem::path& runner, const std::string& resolv_conf) {
  std::vector<Inode> sources;
  const auto look_at = [&](const char* path) {
    struct stat info{};
    const bool there = ::stat(path, &info) == 0;
    sources.push_back(there ? Inode(info.st_dev, info.st_ino) : Inode());
  };
  look_at(runner.c_str());
  look_at("/usr");
  look_at(packages_.c_str());
  std::ranges::for_each(kFromEtc, look_at);
  auto found = std::ranges::find_if(
      templates_, [&](const Template& made) { return made.runner == runner && made.resolv_conf == resolv_conf; });
  if (found != templates_.end() && found->sources == sources) return found->mounts.get();
  auto mounts = build_elsewhere({.runner = runner, .resolv_conf = resolv_conf, .packages = packages_});
  if (!mounts) return fail(mounts.error());
  if (found == templates_.end()) {
    templates_.push_back({.runner = runner, .resolv_conf = resolv_conf, .sources = {}, .mounts = UniqueFd()});
    found = std::prev(templates_.end());
  }
  found->sources = std::move(sources);
  found->mounts = std::move(*mounts);
  return found->mounts.get();
}

}  // namespace infra::sandbox
