// An open file of a simulated disk's: what it does for the program that opened it, and no longer. SQLite's result
// codes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "platform/disk/simulated_disk.h"

namespace infra::sim {

class DiskHandle {
 public:
  // A path: it goes with the handle.
  DiskHandle(SimulatedDisk& disk, SimulatedDisk::NodePtr node, std::uint64_t program, bool syncs_folder,
             std::string temporary);
  ~DiskHandle();
  DiskHandle(const DiskHandle&) = delete;
  DiskHandle& operator=(const DiskHandle&) = delete;

  int read(char* out, std::size_t count, std::uint64_t offset);
  int write(std::string_view bytes, std::uint64_t offset);
  int resize(std::uint64_t size);
  int sync();
  int size(std::uint64_t& bytes);

  int lock(int level);
  int unlock(int level);
  int reserved(bool& is_reserved);

  int map(std::size_t index, std::size_t bytes, bool make, void volatile** memory);
  int lock_memory(int first, int count, int flags);
  void unmap();

 private:
  using Call = SimulatedDisk::Call;

  SimulatedDisk& disk_;
  const SimulatedDisk::NodePtr node_;
  const std::shared_ptr<FileSession> session_;
  FileSession::Locks* const locks_;
  const std::uint64_t program_;
  bool syncs_folder_;
  std::uint64_t told_of_;  // of the file's failed syncs
  const std::string temporary_;
};

}  // namespace infra::sim
