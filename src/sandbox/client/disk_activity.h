// Whether anybody on this machine reads from its disks: where the kernel tells only root how much a process has read,
// who sees that nobody has needn't ask.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

class DiskActivity {
 public:
  explicit DiskActivity(const std::string& table = "/proc/diskstats");

  // By all, from all block devices, since the machine's start. A device counts before it wakes who waits for it.
  // Nothing if the machine does not tell. Any thread; one system call where there are some thirty devices or fewer.
  [[nodiscard]] std::optional<std::uint64_t> bytes_read() const;

 private:
  const UniqueFd table_;
};

// Of lines "major minor name reads merged sectors …"; a partition's sectors count twice.
[[nodiscard]] std::uint64_t sectors_read(std::string_view table);

}  // namespace infra::sandbox
