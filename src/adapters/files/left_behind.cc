#include "adapters/files/left_behind.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <string>

#include "adapters/system/posix_file.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Of linux/ioprio.h: the idle class.
constexpr int kIoOfThread = 1;
constexpr int kIoIdle = 3 << 13;

// The names in a folder, until `visit` says no. Those that are made meanwhile may be among them.
template <typename Visit>
void each_entry(int folder, Visit visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(::openat(folder, ".", kFolder)), &::closedir);
  while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && !visit(entry->d_name)) return;
  }
}

// Names that are free in the trash: those of an earlier program have another beginning.
class FreshNames {
 public:
  [[nodiscard]] std::string next() { return fmt::format("{}-{}-{}", started_, ::getpid(), ++count_); }

 private:
  static long long now() {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    return static_cast<long long>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  }
  const long long started_ = now();
  std::uint64_t count_ = 0;
};

bool is_folder(int parent, const char* name) {
  struct stat info{};
  return ::fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

// Moves what is in `from` to names of its own in `trash`.
Result<void> move_entries(int from, int trash, FreshNames& names) {
  Result<void> moved;
  each_entry(from, [&](const char* name) {
    const std::string target = names.next();
    if (::renameat(from, name, trash, target.c_str()) == 0) return true;
    if (errno == EXDEV || errno == EACCES) {  // a mount, or a folder without the right to write: its content, then
      const Descriptor inner(::openat(from, name, kFolder));
      if (inner) moved = move_entries(inner.get(), trash, names);
      return moved.has_value();
    }
    if (errno != ENOENT) moved = disk_error("moving aside what an earlier program left", errno);
    return moved.has_value();
  });
  return moved;
}

// One folder of the trash: its files go, its folders become the trash's own, and then it goes.
void delete_folder(int trash, const char* name, FreshNames& names, const std::atomic<bool>& stop) {
  {
    const Descriptor folder(::openat(trash, name, kFolder));
    if (!folder) return;
    (void)::fchmod(folder.get(), S_IRWXU);
    each_entry(folder.get(), [&](const char* entry) {
      if (::unlinkat(folder.get(), entry, 0) != 0 && errno == EISDIR) {
        (void)::fchmodat(folder.get(), entry, S_IRWXU, 0);  // what moves must be writable, for its ".."
        (void)::renameat(folder.get(), entry, trash, names.next().c_str());
      }
      return !stop;
    });
  }
  if (!stop) (void)::unlinkat(trash, name, AT_REMOVEDIR);
}

void give_way_to_all_else() {
  (void)::setpriority(PRIO_PROCESS, 0, 19);  // of this thread
  (void)::syscall(SYS_ioprio_set, kIoOfThread, 0, kIoIdle);
}

}  // namespace

Result<LeftBehind> LeftBehind::move_aside(const std::filesystem::path& data,
                                          const std::vector<std::string_view>& folders) {
  const auto trash_path = data / "trash";
  if (::mkdir(trash_path.c_str(), 0700) != 0 && errno != EEXIST) return disk_error("making a folder", errno);
  const Descriptor trash(::open(trash_path.c_str(), kFolder));
  if (!trash) return disk_error("opening the folder of what is to be deleted", errno);
  FreshNames names;
  for (const std::string_view name : folders) {
    const Descriptor folder(::open((data / name).c_str(), kFolder));
    if (!folder) continue;  // the first start
    if (auto moved = move_entries(folder.get(), trash.get(), names); !moved) return fail(moved.error());
  }
  return LeftBehind(trash_path);
}

bool LeftBehind::delete_all(const std::atomic<bool>& stop) const {
  const Descriptor trash(::open(trash_.c_str(), kFolder));
  FreshNames names;
  std::uint64_t deleted = 0;
  for (bool any = static_cast<bool>(trash), progress = true; any && progress && !stop;) {
    any = progress = false;
    each_entry(trash.get(), [&](const char* name) {
      any = true;
      if (is_folder(trash.get(), name)) {
        delete_folder(trash.get(), name, names, stop);
        progress = progress || !is_folder(trash.get(), name);
      } else {
        progress = ::unlinkat(trash.get(), name, 0) == 0 || progress;
      }
      ++deleted;
      return !stop;
    });
  }
  bool empty = true;
  if (trash) each_entry(trash.get(), [&empty](const char*) { return empty = false; });
  if (deleted > 0) log::info("what an earlier program left is deleted", {{"folders", deleted}, {"all", empty}});
  return empty;
}

BackgroundDeletion::BackgroundDeletion(LeftBehind left) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals belong to the thread that waits for them
  thread_ = std::thread([this, left = std::move(left)] {
    give_way_to_all_else();
    (void)left.delete_all(stop_);
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

BackgroundDeletion::~BackgroundDeletion() {
  stop_ = true;
  thread_.join();
}

}  // namespace infra
