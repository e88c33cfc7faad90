// At which room which load stops, on large disks and small ones.
#include "adapters/files/disk_space.h"

#include <gtest/gtest.h>

#include "support/temp_folder.h"

namespace infra {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

TEST(DiskSpace, OnALargeDiskTheMarginIsHalfAGibibyte) {
  const auto pressure = [](std::uint64_t free) {
    return disk_pressure({.bytes = 1'000'000 * kMiB, .free_bytes = free * kMiB});
  };
  EXPECT_EQ(pressure(500'000), 0);
  EXPECT_EQ(pressure(512), 0);
  EXPECT_EQ(pressure(256), 0.5) << "outputs stop";
  EXPECT_EQ(pressure(128), 0.75) << "uploads stop";
  EXPECT_EQ(pressure(64), 0.875) << "asynchronous jobs stop";
  EXPECT_EQ(pressure(0), 1);
}

TEST(DiskSpace, OnASmallDiskItIsHalfOfThat) {
  EXPECT_EQ(disk_pressure({.bytes = 64 * kMiB, .free_bytes = 32 * kMiB}), 0);
  EXPECT_EQ(disk_pressure({.bytes = 64 * kMiB, .free_bytes = 16 * kMiB}), 0.5);
}

TEST(DiskSpace, InodesRunOutAsBytesDo) {
  const DiskState disk{.bytes = 1000 * kMiB, .free_bytes = 900 * kMiB, .files = 1'000'000, .free_files = 25'000};
  EXPECT_EQ(disk_pressure(disk), 0.5);
  EXPECT_EQ(disk_pressure({.bytes = 1000 * kMiB, .free_bytes = 900 * kMiB, .files = 0, .free_files = 0}), 0)
      << "a file system that makes them as they are needed";
}

TEST(DiskSpace, WhoIsAdmittedSeesTheDiskAsItIsNow) {
  testing::TempFolder folder;
  Overload overload([] { return SteadyTime{}; });
  DiskSpace space(folder.path(), overload);
  overload.report(Resource::disk, 1);  // as it was a moment ago
  EXPECT_TRUE(overload.active(Action::stop_uploads));
  const auto disk = space.look();
  EXPECT_GT(disk.bytes, 0U);
  EXPECT_EQ(overload.pressure(Resource::disk), disk_pressure(disk));
  EXPECT_FALSE(space.has_room(disk.bytes));
}

TEST(DiskSpace, ADiskMayBePretended) {
  Overload overload([] { return SteadyTime{}; });
  DiskState disk{.bytes = 10'000 * kMiB, .free_bytes = 5000 * kMiB, .files = 0, .free_files = 0};
  DiskSpace space("/data", overload, [&](const std::filesystem::path& folder) {
    EXPECT_EQ(folder, "/data");
    return disk;
  });
  EXPECT_TRUE(space.admit(Action::stop_uploads));
  disk.free_bytes = kMiB;
  EXPECT_FALSE(space.admit(Action::stop_uploads));
}

TEST(DiskSpace, AFolderThatIsNotThereSaysNothing) {
  Overload overload([] { return SteadyTime{}; });
  DiskSpace space("/no/such/folder", overload);
  EXPECT_EQ(space.look().bytes, 0U);
  EXPECT_FALSE(overload.pressure(Resource::disk));
  EXPECT_TRUE(space.has_room(1)) << "what is unknown refuses nothing";
}

}  // namespace
}  // namespace infra
