#include "sandbox/client/disk_activity.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "support/temp_folder.h"

namespace infra::sandbox {
namespace {

std::string line(int number, int sectors) {
  return " 259       " + std::to_string(number) + " nvme0n" + std::to_string(number) + " 17 4 " +
         std::to_string(sectors) + " 33 5 6 7 8 9 10 11\n";
}

TEST(DiskActivity, AddsUpTheSectorsThatWereRead) {
  EXPECT_EQ(sectors_read(""), 0U);
  EXPECT_EQ(sectors_read("garbage\n\n   8 0\n"), 0U);
  EXPECT_EQ(sectors_read("   8       0 sda 1 2 300 4 5 6 7 8 9 10 11\n   8       1 sda1 1 2 40 4 5\n"), 340U);
}

TEST(DiskActivity, LooksAtAllDevicesHoweverMany) {
  const ::infra::testing::TempFolder folder;
  const std::string table = folder.path() / "diskstats";
  std::string lines;
  for (int i = 0; i < 300; ++i) lines += line(i, i);
  std::ofstream(table) << lines;
  const DiskActivity disks(table);
  EXPECT_EQ(disks.bytes_read(), 300U * 299U / 2 * 512);
  std::ofstream(table, std::ios::trunc) << line(1, 7);
  EXPECT_EQ(disks.bytes_read(), 7U * 512) << "read anew each time";
}

TEST(DiskActivity, IsUnknownWhereTheMachineDoesNotTell) {
  EXPECT_FALSE(DiskActivity("/nowhere/diskstats").bytes_read());
}

}  // namespace
}  // namespace infra::sandbox
