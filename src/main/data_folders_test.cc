#include "main/data_folders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "support/temp_folder.h"

namespace infra {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr sandbox::Identity kUser{.uid = 54321, .gid = 54322};

std::string owner_of(const fs::path& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return "nobody";
  return std::to_string(info.st_uid) + ":" + std::to_string(info.st_gid);
}

constexpr const char* kUsers = "54321:54322";
constexpr const char* kRoots = "0:0";

class DataFolders : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "giving folders away takes root";
    fs::create_directory(outside);
    std::ofstream(outside / "file") << "not ours";
  }

  // What an earlier program left, as root.
  void fill() const {
    fs::create_directories(data / "versions/abc/inner");
    for (const char* name : {"lock", "infra.db", "versions/abc/inner/main.py"}) std::ofstream(data / name) << "x";
    fs::create_symlink(outside / "file", data / "versions/abc/file-link");
    fs::create_directory_symlink(outside, data / "versions/abc/folder-link");
  }

  void expect_refused(const std::string& words) const {
    const auto made = make_data_folders(data, kUser);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, "data_folder_unwritable");
    EXPECT_THAT(made.error().message, HasSubstr(data.string()));
    EXPECT_THAT(made.error().message, HasSubstr(words));
  }

  const ::infra::testing::TempFolder folder;
  const fs::path data = folder.path() / "data";
  const fs::path outside = folder.path() / "outside";
};

TEST_F(DataFolders, AreMadePrivateAndGivenToTheUser) {
  ASSERT_TRUE(make_data_folders(data, kUser));
  EXPECT_EQ(fs::status(data).permissions(), fs::perms::owner_all);
  EXPECT_EQ(owner_of(data), kUsers);
  EXPECT_EQ(owner_of(data / "versions"), kUsers);
  ASSERT_TRUE(make_data_folders(data, kUser));
}

TEST_F(DataFolders, StayWithTheStartingUserIfNoneIsNamed) {
  ASSERT_TRUE(make_data_folders(data, std::nullopt));
  EXPECT_EQ(owner_of(data), kRoots);
  EXPECT_EQ(owner_of(data / "versions"), kRoots);
}

TEST_F(DataFolders, AnEmptyOneIsGivenEvenIfItIsAFileSystemsRoot) {
  fs::create_directories(data / "lost+found");
  ASSERT_TRUE(make_data_folders(data, kUser));
  EXPECT_EQ(owner_of(data), kUsers);
}

TEST_F(DataFolders, WhatAnEarlierRootLeftIsGivenWholeAndNoLinkIsFollowed) {
  fill();
  ASSERT_TRUE(make_data_folders(data, kUser));
  for (const char* name : {"", "lock", "infra.db", "versions", "versions/abc/inner", "versions/abc/inner/main.py",
                           "versions/abc/file-link", "versions/abc/folder-link"})
    EXPECT_EQ(owner_of(*name == '\0' ? data : data / name), kUsers) << name;
  EXPECT_EQ(owner_of(outside), kRoots);
  EXPECT_EQ(owner_of(outside / "file"), kRoots);
}

TEST_F(DataFolders, AFolderOfOtherThingsIsNotGiven) {
  fs::create_directories(data / "photographs");
  expect_refused("other things in it");
  EXPECT_EQ(owner_of(data), kRoots);
  EXPECT_FALSE(fs::exists(data / "versions"));
}

TEST_F(DataFolders, OnesThatOthersOwnOrWriteInAreNotGiven) {
  fill();
  fs::permissions(data, fs::perms::all);
  expect_refused("others may write in it");
  EXPECT_EQ(owner_of(data / "infra.db"), kRoots);
  fs::permissions(data, fs::perms::owner_all);
  ASSERT_EQ(::chown(data.c_str(), 12345, 12345), 0);
  expect_refused("uid 12345");
  EXPECT_EQ(owner_of(data / "infra.db"), kRoots);
}

TEST_F(DataFolders, ALinkInPlaceOfTheUsersFolderIsNotFollowed) {
  ASSERT_TRUE(make_data_folders(data, kUser));
  fs::remove(data / "versions");
  fs::create_directory_symlink(outside, data / "versions");
  EXPECT_FALSE(make_data_folders(data, kUser));
  EXPECT_EQ(owner_of(outside), kRoots);
}

}  // namespace
}  // namespace infra
