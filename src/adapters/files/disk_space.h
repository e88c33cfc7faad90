// How much room the data folder's disk has left, as the overload manager's pressure.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <utility>

#include "telemetry/overload.h"

namespace infra {

// What a file system says of itself.
struct DiskState {
  std::uint64_t bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t files = 0;  // 0: it has no limit of its own
  std::uint64_t free_files = 0;
};

// Nullopt if it does not answer. Blocks for a system call.
[[nodiscard]] std::optional<DiskState> disk_state(const std::filesystem::path& folder);

// With this much free, or more, there is no pressure; with nothing free it is 1. Half of a small disk, so that one of a
// gigabyte keeps 256 MiB from outputs, 128 MiB from uploads and 64 MiB from asynchronous jobs (telemetry/overload.h):
// that is left for settlement, whose largest rows are of some MiB.
inline constexpr std::uint64_t kDiskMargin = 512ULL * 1024 * 1024;
inline constexpr std::uint64_t kFilesMargin = 50'000;

[[nodiscard]] double disk_pressure(const DiskState& disk);

// Any thread. Methods block for a system call.
class DiskSpace {
 public:
  using Ask = std::function<std::optional<DiskState>(const std::filesystem::path& folder)>;
  DiskSpace(std::filesystem::path folder, Overload& overload, Ask ask = disk_state)
      : folder_(std::move(folder)), overload_(overload), ask_(std::move(ask)) {}

  // Reports the pressure. A disk that does not answer is the health probe's affair.
  DiskState look();

  // Looks, and refuses while `action` is on: so that those who write see what others have written a moment ago.
  [[nodiscard]] Result<void> admit(Action action);

  // Whether `bytes` more leave settlement its part.
  [[nodiscard]] bool has_room(std::uint64_t bytes);

 private:
  const std::filesystem::path folder_;
  Overload& overload_;
  const Ask ask_;
};

}  // namespace infra
