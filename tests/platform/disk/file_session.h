// What the connections of one program share of a file and lose when it ends: their locks, and the memory of the
// write-ahead log's index.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace infra::sim {

// By SQLite's own constants (SQLITE_LOCK_*, SQLITE_SHM_*), and its result codes: SQLITE_OK or SQLITE_BUSY.
class FileSession {
 public:
  // One connection's.
  struct Locks {
    int level = 0;             // of the file
    std::uint16_t shared = 0;  // of the memory's, a bit a lock
    std::uint16_t alone = 0;
    bool maps = false;
  };

  Locks* join();
  void leave(Locks* locks);

  int lock(Locks& own, int level);
  static void unlock(Locks& own, int level);
  [[nodiscard]] bool is_reserved() const;

  int lock_memory(Locks& own, int first, int count, int flags);
  // Null where there is none and `make` is false.
  char* region(Locks& own, std::size_t index, std::size_t bytes, bool make);
  [[nodiscard]] bool has_region(std::size_t index) const { return index < regions_.size(); }
  // The last one's goes.
  void unmap(Locks& own);
  [[nodiscard]] std::uint64_t memory() const;

 private:
  std::vector<std::unique_ptr<Locks>> connections_;
  std::vector<std::vector<char>> regions_;
};

}  // namespace infra::sim
