#include "platform/disk/simulated_disk.h"

#include <sqlite3.h>

#include <cerrno>
#include <utility>

#include "platform/disk/disk_handle.h"
#include "platform/disk/disk_vfs.h"

namespace infra::sim {

SimulatedDisk::SimulatedDisk(std::filesystem::path folder, Dice dice)
    : folder_((folder / "").string()),
      dice_(dice.apart("what a power cut leaves")),
      faults_(dice.apart("faults")),
      random_(dice.apart("SQLite")) {
  attach_disk(*this);
}

SimulatedDisk::~SimulatedDisk() {
  detach_disk(*this);
}

void SimulatedDisk::end_program() {
  const MutexLock lock(mutex_);
  running_ = false;
  calls_left_ = 0;
}

void SimulatedDisk::cut_power() {
  end_program();
  for (std::uint64_t lost = dice_.below(renamings_.size() + 1); lost > 0; --lost) {
    Renaming& last = renamings_.back();
    if (last.before) {
      names_.insert_or_assign(last.path, std::move(last.before));
    } else {
      names_.erase(last.path);
    }
    renamings_.pop_back();
  }
  renamings_.clear();
  for (auto& [path, node] : names_) node->file.cut_power(dice_);
}

void SimulatedDisk::begin_program(DiskManners manners) {
  const MutexLock lock(mutex_);
  manners_ = std::make_shared<const DiskManners>(std::move(manners));
  ++program_;
  running_ = true;
  calls_left_ = 0;
  for (auto& [path, node] : names_) node->session = std::make_shared<FileSession>();
}

void SimulatedDisk::end_program_after(std::uint64_t calls) {
  const MutexLock lock(mutex_);
  calls_left_ = calls;
}

bool SimulatedDisk::has_program() const {
  const MutexLock lock(mutex_);
  return running_;
}

std::uint64_t SimulatedDisk::calls() const {
  const MutexLock lock(mutex_);
  return calls_;
}

std::shared_ptr<const DiskManners> SimulatedDisk::manners() const {
  const MutexLock lock(mutex_);
  return manners_;
}

SimulatedDisk::Call::Call(SimulatedDisk& disk, DiskCall call, std::optional<std::uint64_t> program)
    : mutex_(disk.mutex_) {
  disk.mutex_.lock();
  if (!program) program = disk.program_;
  if (!disk.running_ || disk.program_ != *program) return;
  if (const auto manners = disk.manners_; manners->before) {
    disk.mutex_.unlock();
    manners->before(call);
    disk.mutex_.lock();
  }
  note_caller(disk);
  if (!disk.running_ || disk.program_ != *program) return;
  ++disk.calls_;
  if (disk.calls_left_ > 0 && --disk.calls_left_ == 0) {
    disk.running_ = false;
    return;
  }
  alive_ = true;
  fault_ = disk.faults_.next(call);
}

std::uint64_t SimulatedDisk::used() const {
  std::uint64_t all = 0;
  for (const auto& [path, node] : names_)
    all += ((node->file.size() + kBlock - 1) / kBlock * kBlock) + node->session->memory();
  return all;
}

std::optional<std::uint64_t> SimulatedDisk::room() const {
  if (!capacity_) return std::nullopt;
  const std::uint64_t taken = used();
  return taken < *capacity_ ? *capacity_ - taken : 0;
}

std::vector<std::string> SimulatedDisk::files() const {
  std::vector<std::string> paths;
  paths.reserve(names_.size());
  for (const auto& [path, node] : names_) paths.push_back(path);
  return paths;
}

const DiskFile* SimulatedDisk::find(const std::string& path) const {
  const auto found = names_.find(path);
  return found == names_.end() ? nullptr : &found->second->file;
}

bool SimulatedDisk::holds(std::string_view path) const {
  return path.starts_with(folder_);
}

void SimulatedDisk::rename(const std::string& path, NodePtr now) {
  const auto found = names_.find(path);
  renamings_.push_back({.path = path, .before = found == names_.end() ? nullptr : found->second});
  if (now) {
    names_.insert_or_assign(path, std::move(now));
  } else {
    names_.erase(path);
  }
}

int SimulatedDisk::open(const std::string& path, int flags, std::unique_ptr<DiskHandle>& opened) {
  const Call call(*this, DiskCall::open, {});
  if (!call.works()) return SQLITE_CANTOPEN;
  auto found = names_.find(path);
  if (found == names_.end()) {
    if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    rename(path, std::make_shared<Node>());
    found = names_.find(path);
  }
  // As SQLite's own VFS: also of a file that is there already, whose maker may have ended before its sync.
  constexpr int kBesideIt = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
  const bool syncs_folder = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & kBesideIt) != 0;
  opened = std::make_unique<DiskHandle>(*this, found->second, program_, syncs_folder,
                                        (flags & SQLITE_OPEN_DELETEONCLOSE) != 0 ? path : std::string());
  return SQLITE_OK;
}

int SimulatedDisk::remove(const std::string& path, bool sync) {
  const Call call(*this, DiskCall::remove, {});
  errno = EIO;
  if (!call.works()) return SQLITE_IOERR_DELETE;
  if (!names_.contains(path)) return SQLITE_IOERR_DELETE_NOENT;
  rename(path, nullptr);
  if (sync && !lies_) sync_folder();
  return SQLITE_OK;
}

int SimulatedDisk::exists(const std::string& path, bool& there) {
  const Call call(*this, DiskCall::exists, {});
  if (!call.works()) return SQLITE_IOERR_ACCESS;
  there = names_.contains(path);
  return SQLITE_OK;
}

void SimulatedDisk::fill_random(char* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<char>(random_.next() >> 56);
}

}  // namespace infra::sim
