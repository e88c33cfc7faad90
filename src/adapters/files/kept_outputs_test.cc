// Whose output files go first when a quota is full, what counts, and that expired runs' files go.
#include "adapters/files/kept_outputs.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/ids.h"
#include "support/temp_folder.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kKiB = 1024;

class KeptOutputsTest : public ::testing::Test {
 protected:
  // Of the n-th millisecond.
  static std::string run_at(int n) { return make_uuid_v7(WallTime{milliseconds{1'700'000'000'000 + n}}, {}); }
  static WallTime time_of(int n) { return *uuid_v7_time(run_at(n)); }

  Result<void> put(KeptOutputs& kept, const std::string& function, int run, std::uint64_t bytes,
                   const std::string& name = "a") {
    const std::string path = function + "/" + run_at(run) + "/" + name;
    if (auto room = kept.make_room(path, bytes); !room) return room;
    write(path, bytes);
    return {};
  }
  void write(const std::string& path, std::uint64_t bytes) {
    fs::create_directories((folder_.path() / path).parent_path());
    std::ofstream(folder_.path() / path) << "x";
    fs::resize_file(folder_.path() / path, bytes);
  }
  bool is_there(const std::string& function, int run) { return fs::exists(folder_.path() / function / run_at(run)); }

  testing::TempFolder folder_;
};

TEST_F(KeptOutputsTest, AFunctionPastItsQuotaLosesItsOwnOldestRuns) {
  KeptOutputs kept(folder_.path(), {.function = {.bytes = 40 * kKiB, .files = 1000}});
  ASSERT_TRUE(put(kept, "other", 0, 30 * kKiB));
  for (int run = 1; run <= 10; ++run) ASSERT_TRUE(put(kept, "f", run, 8 * kKiB));  // 12 KiB each, with its folder
  EXPECT_TRUE(is_there("other", 0));
  EXPECT_FALSE(is_there("f", 7));
  for (int run = 8; run <= 10; ++run) EXPECT_TRUE(is_there("f", run)) << run;
  EXPECT_EQ(kept.pushed_out(), 7U);
}

TEST_F(KeptOutputsTest, PastThePlatformsQuotaWhoKeepsMostLosesItsOldest) {
  KeptOutputs kept(folder_.path(), {.platform = {.bytes = 100 * kKiB, .files = 1000}});
  ASSERT_TRUE(put(kept, "modest", 0, 4 * kKiB));
  for (int run = 1; run <= 50; ++run) ASSERT_TRUE(put(kept, "greedy", run, 8 * kKiB));
  EXPECT_TRUE(is_there("modest", 0)) << "the oldest of all, and yet not the one in the way";
  EXPECT_TRUE(is_there("greedy", 50));
  EXPECT_FALSE(is_there("greedy", 1));
  EXPECT_LE(kept.kept().bytes, 100 * kKiB);
}

TEST_F(KeptOutputsTest, FilesAndFoldersCountAsWellAsBytes) {
  KeptOutputs kept(folder_.path(), {.function = {.bytes = UINT64_MAX, .files = 8}});
  ASSERT_TRUE(put(kept, "f", 1, 0, "a/b/c"));  // a file, three folders
  EXPECT_EQ(kept.kept().files, 4U);
  EXPECT_EQ(kept.kept().bytes, 3 * 4 * kKiB);
  ASSERT_TRUE(put(kept, "f", 2, 1, "a/b/c"));
  EXPECT_TRUE(is_there("f", 1));
  ASSERT_TRUE(put(kept, "f", 3, 0));
  EXPECT_FALSE(is_there("f", 1));
}

TEST_F(KeptOutputsTest, ARunThatIsMoreThanItsFunctionMayKeepIsRefusedAndPushesNothingOut) {
  KeptOutputs kept(folder_.path(), {.function = {.bytes = 40 * kKiB, .files = 1000}});
  ASSERT_TRUE(put(kept, "f", 1, 8 * kKiB));
  ASSERT_TRUE(put(kept, "f", 2, 20 * kKiB));
  const auto refused = put(kept, "f", 2, 30 * kKiB, "b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "storage_full");
  EXPECT_TRUE(is_there("f", 1));
}

TEST_F(KeptOutputsTest, WhatWasNotWrittenIsGivenBack) {
  KeptOutputs kept(folder_.path(), {});
  ASSERT_TRUE(put(kept, "f", 1, 8 * kKiB));
  const auto before = kept.kept();
  ASSERT_TRUE(kept.make_room("f/" + run_at(1) + "/b", 90 * kKiB));
  kept.give_back("f/" + run_at(1) + "/b", 90 * kKiB);
  EXPECT_EQ(kept.kept().bytes, before.bytes);
  EXPECT_EQ(kept.kept().files, before.files);
  kept.give_back("nobody/none/b", 5);
}

TEST_F(KeptOutputsTest, ARestartCountsWhatIsThereByItsApparentSize) {
  write("f/" + run_at(1) + "/sparse", 64 * kKiB);
  write("f/" + run_at(2) + "/a/b", 4 * kKiB);
  KeptOutputs kept(folder_.path(), {});
  kept.sweep(WallTime::min());
  EXPECT_EQ(kept.kept().bytes, (64 + 4 + 4 + 4 + 4) * kKiB);
  EXPECT_EQ(kept.kept().files, 5U);
  KeptOutputs narrow(folder_.path(), {.function = {.bytes = 20 * kKiB, .files = 100}});
  narrow.sweep(WallTime::min());
  EXPECT_FALSE(is_there("f", 1));
  EXPECT_TRUE(is_there("f", 2));
}

TEST_F(KeptOutputsTest, ASweepDeletesTheFilesOfRunsBeforeATime) {
  write("f1/" + run_at(1) + "/a.txt", 1);
  write("f1/" + run_at(1) + "/_/hashed", 1);
  write("f1/" + run_at(2) + "/a/b.txt", 1);
  write("f2/" + run_at(1) + "/a.txt", 1);
  write("f3/no-time-in-it/a.txt", 1);
  KeptOutputs kept(folder_.path(), {});
  kept.sweep(time_of(2));
  EXPECT_FALSE(is_there("f1", 1));
  EXPECT_TRUE(is_there("f1", 2));
  EXPECT_FALSE(fs::exists(folder_.path() / "f2")) << "a function's empty folder goes too";
  EXPECT_TRUE(fs::exists(folder_.path() / "f3/no-time-in-it/a.txt"));
  kept.sweep(time_of(3));
  EXPECT_FALSE(is_there("f1", 2));
  EXPECT_EQ(kept.kept().files, 2U);
}

TEST_F(KeptOutputsTest, NeedsNoFolder) {
  KeptOutputs kept(folder_.path() / "outputs", {});
  kept.sweep(WallTime::max());
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST(OutputQuotas, AreSharesOfTheDisk) {
  const auto quotas = output_quotas(80 * kKiB, 0);
  EXPECT_EQ(quotas.platform.bytes, 40 * kKiB);
  EXPECT_EQ(quotas.function.bytes, 10 * kKiB);
  EXPECT_EQ(output_quotas(1, 800).platform.files, 400U);
  EXPECT_EQ(output_quotas(1, 800).function.files, 100U);
}

}  // namespace
}  // namespace infra
