// Staging's promises on the local disk, its only engine: uploads always pass through this machine.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "adapters/system/file_staging.h"
#include "adapters/system/posix_file.h"
#include "core/error_codes.h"
#include "support/inline_executor.h"
#include "support/run_task.h"
#include "support/temp_folder.h"

namespace infra::testing {
namespace {

class StagingTest : public ::testing::Test {
 protected:
  TempFolder folder_;
  fakes::InlineExecutor executor_;
  FileStaging staging_{folder_.path() / "staging", executor_};

  std::unique_ptr<StagedFile> create() { return run_task(staging_.create()).value(); }
  static Result<void> append(StagedFile& file, std::string_view bytes) { return run_task(file.append(bytes)); }
};

TEST_F(StagingTest, AnUploadEndsWhereItIsNotAdmittedAnyMore) {
  int left = 2;
  FileStaging staging(folder_.path() / "bounded", executor_, [&]() -> Result<void> {
    if (--left >= 0) return {};
    return fail(errors::storage_full, "Full.");
  });
  {
    const auto file = run_task(staging.create()).value();
    ASSERT_TRUE(append(*file, "a").has_value());
    EXPECT_EQ(append(*file, "b").error().code, "storage_full");
    EXPECT_EQ(file->size(), 1U);
  }
  EXPECT_EQ(run_task(staging.create()).error().code, "storage_full");
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "bounded"));
}

TEST_F(StagingTest, WritesHashesAndCounts) {
  const auto file = create();
  ASSERT_TRUE(append(*file, "a").has_value());
  ASSERT_TRUE(append(*file, "").has_value());
  ASSERT_TRUE(append(*file, "bc").has_value());
  ASSERT_TRUE(run_task(file->finish()).has_value());
  EXPECT_EQ(file->size(), 3U);
  EXPECT_EQ(file->sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-2, B.1
  std::ifstream read(file->path());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(read), {}), "abc");
  struct stat info{};
  ASSERT_EQ(::stat(file->path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(StagingTest, LeavesNothingUnlessAStoreTookTheFile) {
  auto dropped = create();
  auto kept = create();
  EXPECT_NE(dropped->path(), kept->path());
  const auto dropped_path = dropped->path();
  ASSERT_TRUE(append(*dropped, "half an upl").has_value());
  dropped.reset();
  EXPECT_FALSE(std::filesystem::exists(dropped_path));
  std::filesystem::rename(kept->path(), folder_.path() / "kept");
  kept.reset();
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "kept"));
}

TEST_F(StagingTest, SweepsWhatADeadProgramLeft) {
  std::ofstream(folder_.path() / "staging" / "upload-0") << "old";
  FileStaging again(folder_.path() / "staging", executor_);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "staging"));
  EXPECT_TRUE(run_task(again.create()).has_value());
}

// /dev/full stands in for a full disk: every write to it fails with ENOSPC.
TEST_F(StagingTest, SaysWhenTheDiskIsFullAndLeavesNothing) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  const Descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  auto file = create();
  const auto path = file->path();
  // The staged file's descriptor, found by its inode, is turned into the full device.
  struct stat wanted{};
  ASSERT_EQ(::stat(path.c_str(), &wanted), 0);
  bool swapped = false;
  for (int fd = 3; fd < 256 && !swapped; ++fd) {
    struct stat info{};
    if (::fstat(fd, &info) == 0 && info.st_ino == wanted.st_ino && info.st_dev == wanted.st_dev) {
      ASSERT_GE(::dup2(full.get(), fd), 0);
      swapped = true;
    }
  }
  ASSERT_TRUE(swapped);
  const auto written = append(*file, "bytes");
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(written.error().code, "disk_full");
  EXPECT_EQ(file->size(), 0U);
  file.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace infra::testing
