#include "platform/disk/file_session.h"

#include <sqlite3.h>

#include <algorithm>

namespace infra::sim {

namespace {

constexpr int kNone = 0;
constexpr int kShared = 1;
constexpr int kReserved = 2;
constexpr int kPending = 3;
constexpr int kExclusive = 4;

}  // namespace

FileSession::Locks* FileSession::join() {
  connections_.push_back(std::make_unique<Locks>());
  return connections_.back().get();
}

void FileSession::leave(Locks* locks) {
  unmap(*locks);
  std::erase_if(connections_, [locks](const auto& one) { return one.get() == locks; });
}

// As SQLite's locks of a file are: many readers, one that is to write beside them, and alone once they have gone.
int FileSession::lock(Locks& own, int level) {
  if (own.level >= level) return SQLITE_OK;
  int others = kNone;
  for (const auto& one : connections_) {
    if (one.get() != &own) others = std::max(others, one->level);
  }
  switch (level) {
    case kShared:
      if (others >= kPending) return SQLITE_BUSY;
      break;
    case kReserved:
      if (others >= kReserved) return SQLITE_BUSY;
      break;
    default:
      if (others >= kPending) return SQLITE_BUSY;
      if (others >= kShared) {
        own.level = kPending;
        return SQLITE_BUSY;
      }
      level = kExclusive;
  }
  own.level = level;
  return SQLITE_OK;
}

void FileSession::unlock(Locks& own, int level) {
  own.level = std::min(own.level, level);
}

bool FileSession::is_reserved() const {
  return std::ranges::any_of(connections_, [](const auto& one) { return one->level >= kReserved; });
}

int FileSession::lock_memory(Locks& own, int first, int count, int flags) {
  const auto mask =
      static_cast<std::uint16_t>(((1U << static_cast<unsigned>(count)) - 1U) << static_cast<unsigned>(first));
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    own.shared &= static_cast<std::uint16_t>(~mask);
    own.alone &= static_cast<std::uint16_t>(~mask);
    return SQLITE_OK;
  }
  const bool alone = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  for (const auto& one : connections_) {
    if (one.get() == &own) continue;
    if ((one->alone & mask) != 0 || (alone && (one->shared & mask) != 0)) return SQLITE_BUSY;
  }
  (alone ? own.alone : own.shared) |= mask;
  return SQLITE_OK;
}

char* FileSession::region(Locks& own, std::size_t index, std::size_t bytes, bool make) {
  own.maps = true;
  if (index >= regions_.size() && !make) return nullptr;
  while (regions_.size() <= index) regions_.emplace_back(bytes, '\0');
  return regions_[index].data();
}

void FileSession::unmap(Locks& own) {
  own.maps = false;
  own.shared = own.alone = 0;
  if (std::ranges::none_of(connections_, [](const auto& one) { return one->maps; })) regions_.clear();
}

std::uint64_t FileSession::memory() const {
  std::uint64_t all = 0;
  for (const auto& region : regions_) all += region.size();
  return all;
}

}  // namespace infra::sim
