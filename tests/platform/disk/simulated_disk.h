// A machine's disk under SQLite, in memory: it keeps what a real one promises (what was synced is there) and nothing
// more. It outlives the programs that use it, one after the other; the next one finds what the last one left.
//
// Whoever opens a file below its folder by SQLite meets it (disk_vfs.h), all others the file system. What it models:
// - Contents and sizes of files: disk_file.h. Locks and shared memory: file_session.h. Refusals: disk_faults.h.
// - Names: a file that is made or removed is so after a power cut only once its folder was synced, which SQLite does
// for
//   the files beside the database (its first sync, their removal). Of changes before that, the first ones may be there:
//   never a later one without an earlier one. A sync of a file does not make its name durable by itself.
// - Room: blocks of 4 KiB of all files, and of the memory that connections share.
// - A failed sync (disk_file.h): each other handle of the file is told once, too, by its next sync, as on Linux
// since 4.13. A short read that is none of the file's end is an error of the disk: SQLite takes no other for one.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/mutex.h"
#include "platform/dice.h"
#include "platform/disk/disk_faults.h"
#include "platform/disk/disk_file.h"
#include "platform/disk/file_session.h"

namespace infra::sim {

class DiskHandle;

// How a program meets it. Both may be empty: then nothing takes time, and locks are waited for in real time.
struct DiskManners {
  std::function<void(DiskCall)> before{};                  // each call; may suspend the fiber that makes it
  std::function<void(std::chrono::microseconds)> pause{};  // SQLite waits for a lock
};

// SQLite's calls: any thread. All else: while none of them is under way. Must outlive every connection to its files.
class SimulatedDisk {
 public:
  static constexpr std::uint64_t kBlock = 4096;

  // Of all files below `folder`, an absolute path without links; no other disk's may be below it. Its first program
  // has begun.
  SimulatedDisk(std::filesystem::path folder, Dice dice);
  ~SimulatedDisk();
  SimulatedDisk(const SimulatedDisk&) = delete;
  SimulatedDisk& operator=(const SimulatedDisk&) = delete;

  // --- programs ---
  // The program is gone: nothing that its connections do has an effect any more, and nothing opens. All that it wrote
  // stays, as after a kill.
  void end_program();
  // The same, with the power: what was not synced is there, or not, or in part.
  void cut_power();
  // That call from now on and all later ones find the program gone; 1 is the next one.
  void end_program_after(std::uint64_t calls);
  [[nodiscard]] bool has_program() const;
  // Connections of the one before may be closed then; it opens and removes nothing any more.
  void begin_program(DiskManners manners = {});

  // --- faults ---
  [[nodiscard]] DiskFaults& faults() { return faults_; }
  // Syncs that say they did it, and do nothing.
  void set_lying(bool lies) { lies_ = lies; }
  // Bytes; nothing: endless. Below what is used, only what frees room, and what needs none more, goes on.
  void set_capacity(std::optional<std::uint64_t> bytes) { capacity_ = bytes; }
  [[nodiscard]] std::optional<std::uint64_t> capacity() const { return capacity_; }
  [[nodiscard]] std::uint64_t used() const;

  // --- from outside ---
  [[nodiscard]] std::vector<std::string> files() const;  // paths
  [[nodiscard]] const DiskFile* find(const std::string& path) const;
  [[nodiscard]] std::uint64_t calls() const;  // that a program made

  // --- for the VFS: SQLite's result codes ---
  [[nodiscard]] bool holds(std::string_view path) const;
  int open(const std::string& path, int flags, std::unique_ptr<DiskHandle>& opened);
  int remove(const std::string& path, bool sync_folder);
  int exists(const std::string& path, bool& there);
  [[nodiscard]] std::shared_ptr<const DiskManners> manners() const;
  void fill_random(char* out, std::size_t count);

 private:
  friend class DiskHandle;
  struct Node {
    DiskFile file;
    std::shared_ptr<FileSession> session = std::make_shared<FileSession>();
    std::uint64_t failed_syncs = 0;
  };
  using NodePtr = std::shared_ptr<Node>;
  struct Renaming {  // a name's change
    std::string path;
    NodePtr before;
  };
  // One call of a program's: holds the disk, once those before have let it begin.
  class INFRA_SCOPED_CAPABILITY Call {
   public:
    // No program: the present one's.
    Call(SimulatedDisk& disk, DiskCall call, std::optional<std::uint64_t> program) INFRA_ACQUIRE(disk.mutex_);
    ~Call() INFRA_RELEASE() { mutex_.unlock(); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    // The program is there, and the disk does what it is asked.
    [[nodiscard]] bool works() const { return alive_ && !fault_; }
    [[nodiscard]] bool alive() const { return alive_; }
    [[nodiscard]] std::optional<DiskFault> fault() const { return fault_; }

   private:
    Mutex& mutex_;
    bool alive_ = false;
    std::optional<DiskFault> fault_;
  };

  void rename(const std::string& path, NodePtr now);
  void sync_folder() { renamings_.clear(); }
  // How many bytes more there is room for, if it is bounded.
  [[nodiscard]] std::optional<std::uint64_t> room() const;

  const std::string folder_;
  Dice dice_;
  DiskFaults faults_;
  Dice random_;  // SQLite's own
  std::map<std::string, NodePtr, std::less<>> names_;
  std::vector<Renaming> renamings_;  // since the folder's last sync
  std::optional<std::uint64_t> capacity_;
  bool lies_ = false;

  mutable Mutex mutex_;
  std::shared_ptr<const DiskManners> manners_ INFRA_GUARDED_BY(mutex_) = std::make_shared<const DiskManners>();
  std::uint64_t program_ INFRA_GUARDED_BY(mutex_) = 1;
  bool running_ INFRA_GUARDED_BY(mutex_) = true;
  std::uint64_t calls_left_ INFRA_GUARDED_BY(mutex_) = 0;  // 0: no end is planned
  std::uint64_t calls_ INFRA_GUARDED_BY(mutex_) = 0;
};

}  // namespace infra::sim
