// Moving aside costs one rename an entry, whatever is in it; deleting takes any depth, and goes on after it was
// stopped.
#include "adapters/files/left_behind.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "adapters/system/posix_file.h"
#include "support/temp_folder.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

class LeftBehindTest : public ::testing::Test {
 protected:
  LeftBehindTest() { fs::create_directory(versions()); }

  fs::path versions() { return data_.path() / "versions"; }
  fs::path trash() { return data_.path() / "trash"; }
  LeftBehind move_aside() { return LeftBehind::move_aside(data_.path(), {"versions", "staging", "none"}).value(); }
  static std::ptrdiff_t count(const fs::path& folder) {
    return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
  }
  // Deeper than a path may be long.
  void make_deep(const std::string& name, int depth) {
    Descriptor folder(::open(versions().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_EQ(::mkdirat(folder.get(), name.c_str(), 0700), 0);
    folder = Descriptor(::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; i < depth; ++i) {
      ASSERT_EQ(::mkdirat(folder.get(), "a-folder-in-it", 0700), 0);
      folder = Descriptor(::openat(folder.get(), "a-folder-in-it", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
  }

  testing::TempFolder data_;
  std::atomic<bool> go_on_ = false;
};

TEST_F(LeftBehindTest, MovesAsideWhatIsThereAndKeepsTheFolder) {
  fs::create_directories(versions() / "a" / "b" / "c");
  std::ofstream(versions() / "file") << "x";
  fs::create_directories(data_.path() / "staging" / "upload");
  struct stat before{};
  struct stat after{};
  ASSERT_EQ(::stat(versions().c_str(), &before), 0);
  const LeftBehind left = move_aside();
  ASSERT_EQ(::stat(versions().c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino) << "the spawner has it open";
  EXPECT_EQ(count(versions()), 0);
  EXPECT_EQ(count(data_.path() / "staging"), 0);
  EXPECT_EQ(count(trash()), 3) << "an entry is one rename";
  EXPECT_TRUE(left.delete_all(go_on_));
  EXPECT_EQ(count(trash()), 0);
}

TEST_F(LeftBehindTest, AnyDepthAndBreadthGoes) {
  make_deep("deep", 2000);
  for (int i = 0; i < 300; ++i) fs::create_directories(versions() / "broad" / std::to_string(i) / "x" / "y");
  fs::create_directory(versions() / "locked");
  std::ofstream(versions() / "locked" / "file") << "x";
  fs::create_symlink(versions(), versions() / "link");
  ASSERT_EQ(::chmod((versions() / "locked").c_str(), 0500), 0);
  std::ofstream(data_.path() / "kept") << "x";
  EXPECT_TRUE(move_aside().delete_all(go_on_));
  EXPECT_EQ(count(trash()), 0);
  EXPECT_TRUE(fs::exists(versions()));
  EXPECT_TRUE(fs::exists(data_.path() / "kept"));
}

TEST_F(LeftBehindTest, WhatWasStoppedTheNextStartFinishes) {
  for (int i = 0; i < 20; ++i) fs::create_directories(versions() / std::to_string(i) / "x");
  const LeftBehind first = move_aside();
  const std::atomic<bool> stopped = true;
  EXPECT_FALSE(first.delete_all(stopped));
  EXPECT_EQ(count(trash()), 20);
  fs::create_directories(versions() / "0" / "y");
  const LeftBehind second = move_aside();
  EXPECT_EQ(count(trash()), 21) << "no name is used twice";
  EXPECT_TRUE(second.delete_all(go_on_));
  EXPECT_EQ(count(trash()), 0);
}

TEST_F(LeftBehindTest, IsDeletedBehindAndStopsWhenAsked) {
  fs::create_directories(versions() / "a" / "b");
  {
    BackgroundDeletion deletion(move_aside());
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (count(trash()) > 0 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  }
  EXPECT_EQ(count(trash()), 0);
}

}  // namespace
}  // namespace infra
