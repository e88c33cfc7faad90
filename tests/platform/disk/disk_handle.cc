#include "platform/disk/disk_handle.h"

#include <sqlite3.h>

#include <cerrno>
#include <optional>
#include <utility>

namespace infra::sim {

namespace {

std::uint64_t blocks(std::uint64_t size) {
  return (size + SimulatedDisk::kBlock - 1) / SimulatedDisk::kBlock;
}

// SQLite asks for the system's reason.
int refuse(int code, std::optional<DiskFault> fault = {}) {
  errno = fault == DiskFault::full ? ENOSPC : EIO;
  return code;
}

}  // namespace

DiskHandle::DiskHandle(SimulatedDisk& disk, SimulatedDisk::NodePtr node, std::uint64_t program, bool syncs_folder,
                       std::string temporary)
    : disk_(disk),
      node_(std::move(node)),
      session_(node_->session),
      locks_(session_->join()),
      program_(program),
      syncs_folder_(syncs_folder),
      told_of_(node_->failed_syncs),
      temporary_(std::move(temporary)) {}

DiskHandle::~DiskHandle() {
  const MutexLock lock(disk_.mutex_);
  session_->leave(locks_);
  if (!temporary_.empty() && disk_.running_ && disk_.program_ == program_) disk_.rename(temporary_, nullptr);
}

int DiskHandle::read(char* out, std::size_t count, std::uint64_t offset) {
  const Call call(disk_, DiskCall::read, program_);
  if (!call.alive()) return refuse(SQLITE_IOERR_READ);
  if (call.fault()) {
    node_->file.read(offset, {out, disk_.dice_.below(count)});
    return refuse(SQLITE_IOERR_READ);
  }
  return node_->file.read(offset, {out, count}) == count ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int DiskHandle::write(std::string_view bytes, std::uint64_t offset) {
  const Call call(disk_, DiskCall::write, program_);
  if (!call.alive()) return refuse(SQLITE_IOERR_WRITE);
  std::uint64_t taken = bytes.size();
  if (call.fault()) taken = disk_.dice_.below(bytes.size());
  DiskFile& file = node_->file;
  bool full = call.fault() == DiskFault::full;
  if (const auto room = disk_.room(); room && offset + taken > file.size()) {
    const std::uint64_t most = (blocks(file.size()) * SimulatedDisk::kBlock) + *room;
    if (offset + taken > most) {
      taken = most > offset ? most - offset : 0;
      full = true;
    }
  }
  file.write(offset, bytes.substr(0, taken));
  if (full) return refuse(SQLITE_FULL, DiskFault::full);
  return call.fault() ? refuse(SQLITE_IOERR_WRITE) : SQLITE_OK;
}

int DiskHandle::resize(std::uint64_t size) {
  const Call call(disk_, DiskCall::resize, program_);
  if (!call.works()) return refuse(SQLITE_IOERR_TRUNCATE);
  node_->file.resize(size);
  return SQLITE_OK;
}

int DiskHandle::sync() {
  const Call call(disk_, DiskCall::sync, program_);
  if (!call.alive()) return refuse(SQLITE_IOERR_FSYNC);
  if (call.fault()) {
    node_->file.fail_sync(disk_.dice_);
    told_of_ = ++node_->failed_syncs;
    return refuse(SQLITE_IOERR_FSYNC, call.fault());
  }
  if (disk_.lies_) return SQLITE_OK;
  node_->file.sync();
  if (std::exchange(told_of_, node_->failed_syncs) != node_->failed_syncs) return refuse(SQLITE_IOERR_FSYNC);
  if (std::exchange(syncs_folder_, false)) disk_.sync_folder();
  return SQLITE_OK;
}

int DiskHandle::size(std::uint64_t& bytes) {
  const Call call(disk_, DiskCall::size, program_);
  if (!call.works()) return refuse(SQLITE_IOERR_FSTAT);
  bytes = node_->file.size();
  return SQLITE_OK;
}

int DiskHandle::lock(int level) {
  const Call call(disk_, DiskCall::lock, program_);
  return call.alive() ? session_->lock(*locks_, level) : refuse(SQLITE_IOERR_LOCK);
}

// Of a program that is gone the locks are, too.
int DiskHandle::unlock(int level) {
  const Call call(disk_, DiskCall::lock, program_);
  FileSession::unlock(*locks_, level);
  return SQLITE_OK;
}

int DiskHandle::reserved(bool& is_reserved) {
  const Call call(disk_, DiskCall::lock, program_);
  if (!call.alive()) return refuse(SQLITE_IOERR_CHECKRESERVEDLOCK);
  is_reserved = session_->is_reserved();
  return SQLITE_OK;
}

int DiskHandle::map(std::size_t index, std::size_t bytes, bool make, void volatile** memory) {
  const Call call(disk_, DiskCall::map, program_);
  *memory = nullptr;
  if (!call.alive() || call.fault() == DiskFault::broken) return refuse(SQLITE_IOERR_SHMMAP);
  const auto room = disk_.room();
  const bool grows = make && !session_->has_region(index);
  if (call.fault() || (grows && room && *room < bytes)) return refuse(SQLITE_IOERR_SHMSIZE, DiskFault::full);
  *memory = session_->region(*locks_, index, bytes, make);
  return SQLITE_OK;
}

int DiskHandle::lock_memory(int first, int count, int flags) {
  const Call call(disk_, DiskCall::lock, program_);
  const bool ends = (flags & SQLITE_SHM_UNLOCK) != 0;
  return call.alive() || ends ? session_->lock_memory(*locks_, first, count, flags) : refuse(SQLITE_IOERR_SHMLOCK);
}

void DiskHandle::unmap() {
  const MutexLock lock(disk_.mutex_);
  session_->unmap(*locks_);
}

}  // namespace infra::sim
