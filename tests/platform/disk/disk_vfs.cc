#include "platform/disk/disk_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "core/mutex.h"
#include "platform/disk/disk_handle.h"
#include "platform/disk/simulated_disk.h"

namespace infra::sim {
namespace {

constexpr int kSharedMemoryVersion = 2;              // of sqlite3_io_methods: with xShm*, without mapped files
constexpr sqlite3_int64 kNow = 212'662'540'800'000;  // milliseconds of the Julian calendar: 2026-12-01

// What SQLite sees of an open file; it owns the memory.
struct OpenFile {
  sqlite3_file base;
  DiskHandle* handle;
};

DiskHandle& handle_of(sqlite3_file* file) {
  return *reinterpret_cast<OpenFile*>(file)->handle;
}

constexpr sqlite3_io_methods kFileMethods{
    .iVersion = kSharedMemoryVersion,
    .xClose =
        [](sqlite3_file* file) {
          const std::unique_ptr<DiskHandle> ends(&handle_of(file));
          file->pMethods = nullptr;
          return SQLITE_OK;
        },
    .xRead =
        [](sqlite3_file* file, void* out, int count, sqlite3_int64 offset) {
          return handle_of(file).read(static_cast<char*>(out), static_cast<std::size_t>(count),
                                      static_cast<std::uint64_t>(offset));
        },
    .xWrite =
        [](sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
          return handle_of(file).write({static_cast<const char*>(bytes), static_cast<std::size_t>(count)},
                                       static_cast<std::uint64_t>(offset));
        },
    .xTruncate = [](sqlite3_file* file,
                    sqlite3_int64 size) { return handle_of(file).resize(static_cast<std::uint64_t>(size)); },
    .xSync = [](sqlite3_file* file, int) { return handle_of(file).sync(); },
    .xFileSize =
        [](sqlite3_file* file, sqlite3_int64* size) {
          std::uint64_t bytes = 0;
          const int code = handle_of(file).size(bytes);
          *size = static_cast<sqlite3_int64>(bytes);
          return code;
        },
    .xLock = [](sqlite3_file* file, int level) { return handle_of(file).lock(level); },
    .xUnlock = [](sqlite3_file* file, int level) { return handle_of(file).unlock(level); },
    .xCheckReservedLock =
        [](sqlite3_file* file, int* out) {
          bool reserved = false;
          const int code = handle_of(file).reserved(reserved);
          *out = reserved ? 1 : 0;
          return code;
        },
    .xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; },
    .xSectorSize = [](sqlite3_file*) { return static_cast<int>(SimulatedDisk::kBlock); },
    // What SQLite takes for granted of disks elsewhere, too: a write changes no bytes beside its own.
    .xDeviceCharacteristics = [](sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; },
    .xShmMap =
        [](sqlite3_file* file, int index, int bytes, int make, void volatile** memory) {
          return handle_of(file).map(static_cast<std::size_t>(index), static_cast<std::size_t>(bytes), make != 0,
                                     memory);
        },
    .xShmLock = [](sqlite3_file* file, int first, int count,
                   int flags) { return handle_of(file).lock_memory(first, count, flags); },
    .xShmBarrier = [](sqlite3_file*) { std::atomic_thread_fence(std::memory_order_seq_cst); },
    .xShmUnmap =
        [](sqlite3_file* file, int) {
          handle_of(file).unmap();
          return SQLITE_OK;
        },
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

// All disks of the program, behind the one default VFS.
class Disks {
 public:
  static Disks& all() {
    static Disks disks;
    return disks;
  }

  void attach(SimulatedDisk& disk) {
    const MutexLock lock(mutex_);
    if (disks_.empty()) sqlite3_vfs_register(&vfs_, 1);
    disks_.push_back(&disk);
    // SQLite's own chance is one for the whole program: it begins anew, out of the newest disk's.
    sqlite3_randomness(0, nullptr);
  }
  void detach(const SimulatedDisk& disk) {
    const MutexLock lock(mutex_);
    std::erase(disks_, &disk);
    if (disks_.empty()) sqlite3_vfs_register(&files(), 1);
  }
  SimulatedDisk* find(const char* path) {
    const MutexLock lock(mutex_);
    if (path == nullptr) return nullptr;
    const auto found = std::ranges::find_if(disks_, [path](const auto* disk) { return disk->holds(path); });
    return found == disks_.end() ? nullptr : *found;
  }
  bool has(const SimulatedDisk* disk) {
    const MutexLock lock(mutex_);
    return std::ranges::find(disks_, disk) != disks_.end();
  }
  SimulatedDisk* newest() {
    const MutexLock lock(mutex_);
    return disks_.empty() ? nullptr : disks_.back();
  }
  [[nodiscard]] sqlite3_vfs& files() const { return *files_; }

 private:
  Disks();

  sqlite3_vfs* const files_ = sqlite3_vfs_find("unix");
  sqlite3_vfs vfs_{};
  Mutex mutex_;
  std::vector<SimulatedDisk*> disks_ INFRA_GUARDED_BY(mutex_);
};

thread_local SimulatedDisk* last_called = nullptr;

int open_file(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  SimulatedDisk* disk = Disks::all().find(path);
  if (disk == nullptr) return Disks::all().files().xOpen(&Disks::all().files(), path, file, flags, out_flags);
  file->pMethods = nullptr;
  std::unique_ptr<DiskHandle> handle;
  if (const int code = disk->open(path, flags, handle); code != SQLITE_OK) return code;
  new (file) OpenFile{.base = {.pMethods = &kFileMethods}, .handle = handle.release()};
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int remove_file(sqlite3_vfs*, const char* path, int sync_folder) {
  SimulatedDisk* disk = Disks::all().find(path);
  if (disk == nullptr) return Disks::all().files().xDelete(&Disks::all().files(), path, sync_folder);
  return disk->remove(path, sync_folder != 0);
}

int access_file(sqlite3_vfs*, const char* path, int flags, int* out) {
  SimulatedDisk* disk = Disks::all().find(path);
  if (disk == nullptr) return Disks::all().files().xAccess(&Disks::all().files(), path, flags, out);
  bool there = false;
  const int code = disk->exists(path, there);
  *out = there ? 1 : 0;
  return code;
}

int full_path(sqlite3_vfs*, const char* path, int size, char* out) {
  if (Disks::all().find(path) == nullptr)
    return Disks::all().files().xFullPathname(&Disks::all().files(), path, size, out);
  const std::string_view text(path);
  if (text.size() >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  out[text.copy(out, text.size())] = '\0';
  return SQLITE_OK;
}

int fill_random(sqlite3_vfs*, int count, char* out) {
  SimulatedDisk* disk = Disks::all().newest();
  if (disk == nullptr) return Disks::all().files().xRandomness(&Disks::all().files(), count, out);
  disk->fill_random(out, static_cast<std::size_t>(count));
  return count;
}

int wait_for_lock(sqlite3_vfs*, int microseconds) {
  const auto manners = Disks::all().has(last_called) ? last_called->manners() : nullptr;
  if (!manners || !manners->pause) return Disks::all().files().xSleep(&Disks::all().files(), microseconds);
  manners->pause(std::chrono::microseconds(microseconds));
  return microseconds;
}

Disks::Disks() {
  vfs_ = *files_;  // the system's libraries are no part of it
  vfs_.iVersion = 2;
  vfs_.szOsFile = std::max<int>(files_->szOsFile, sizeof(OpenFile));
  vfs_.pNext = nullptr;
  vfs_.zName = "simulated disks";
  vfs_.xOpen = open_file;
  vfs_.xDelete = remove_file;
  vfs_.xAccess = access_file;
  vfs_.xFullPathname = full_path;
  vfs_.xRandomness = fill_random;
  vfs_.xSleep = wait_for_lock;
  vfs_.xCurrentTime = [](sqlite3_vfs*, double* days) {
    *days = static_cast<double>(kNow) / 86'400'000;
    return SQLITE_OK;
  };
  vfs_.xCurrentTimeInt64 = [](sqlite3_vfs*, sqlite3_int64* milliseconds) {
    *milliseconds = kNow;
    return SQLITE_OK;
  };
  vfs_.xGetLastError = [](sqlite3_vfs*, int, char*) { return errno; };
}

}  // namespace

void attach_disk(SimulatedDisk& disk) {
  Disks::all().attach(disk);
}
void detach_disk(SimulatedDisk& disk) {
  Disks::all().detach(disk);
}
void note_caller(SimulatedDisk& disk) {
  last_called = &disk;
}

}  // namespace infra::sim
