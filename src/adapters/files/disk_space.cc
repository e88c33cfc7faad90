#include "adapters/files/disk_space.h"

#include <sys/statvfs.h>

#include <algorithm>

namespace infra {
namespace {

// Below this part of the margin only settlement writes.
constexpr std::uint64_t kSettlementPart = 8;

double pressure_of(std::uint64_t all, std::uint64_t free, std::uint64_t most) {
  const std::uint64_t margin = std::min(most, all / 2);
  if (margin == 0 || free >= margin) return 0;
  return 1 - static_cast<double>(free) / static_cast<double>(margin);
}

}  // namespace

double disk_pressure(const DiskState& disk) {
  return std::max(pressure_of(disk.bytes, disk.free_bytes, kDiskMargin),
                  pressure_of(disk.files, disk.free_files, kFilesMargin));
}

std::optional<DiskState> disk_state(const std::filesystem::path& folder) {
  struct statvfs info{};
  if (::statvfs(folder.c_str(), &info) != 0) return std::nullopt;
  return DiskState{.bytes = std::uint64_t{info.f_blocks} * info.f_frsize,
                   .free_bytes = std::uint64_t{info.f_bavail} * info.f_frsize,
                   .files = info.f_files,
                   .free_files = info.f_favail};
}

DiskState DiskSpace::look() {
  const auto disk = ask_(folder_);
  if (!disk) return {};
  overload_.report(Resource::disk, disk_pressure(*disk));
  return *disk;
}

Result<void> DiskSpace::admit(Action action) {
  look();
  return overload_.admit(action);
}

bool DiskSpace::has_room(std::uint64_t bytes) {
  const DiskState disk = look();
  return disk.bytes == 0 || disk.free_bytes >= bytes + std::min(kDiskMargin, disk.bytes / 2) / kSettlementPart;
}

}  // namespace infra
