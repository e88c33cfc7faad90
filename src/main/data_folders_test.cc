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

  void expect_refused(const std::string& words) const { expect_refused(words, data); }
  static void expect_refused(const std::string& words, const fs::path& named) {
    const auto made = make_data_folders(named, kUser);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, "data_folder_unwritable");
    EXPECT_THAT(made.error().message, HasSubstr(named.string()));
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

TEST_F(DataFolders, WhatInfraDoesNotMakeStaysWhoseItIs) {
  fill();
  std::ofstream(data / "notes.txt") << "mine";
  fs::create_directory(data / "backup");
  ASSERT_TRUE(make_data_folders(data, kUser));
  EXPECT_EQ(owner_of(data / "infra.db"), kUsers);
  EXPECT_EQ(owner_of(data / "notes.txt"), kRoots);
  EXPECT_EQ(owner_of(data / "backup"), kRoots);
}

TEST_F(DataFolders, AStrangersFileIsRefusedByName) {
  fill();
  const fs::path strange = data / "versions/abc/inner/main.py";
  ASSERT_EQ(::chown(strange.c_str(), 12345, 12345), 0);
  expect_refused(strange.string() + " belongs to uid 12345");
  EXPECT_EQ(owner_of(strange), "12345:12345");
  EXPECT_EQ(owner_of(data), kRoots) << "it is given last, so that the next start looks again";
}

TEST_F(DataFolders, AFileWithAnotherNameElsewhereIsNotGiven) {
  fill();
  fs::remove(data / "versions/abc/inner/main.py");
  fs::create_hard_link(outside / "file", data / "versions/abc/inner/main.py");
  expect_refused("hard link");
  EXPECT_EQ(owner_of(outside / "file"), kRoots);
}

TEST_F(DataFolders, OneBehindALinkIsUsedButNotGiven) {
  fs::create_directory(data);
  const fs::path link = folder.path() / "link";
  fs::create_directory_symlink(data, link);
  expect_refused("Name the folder itself with INFRA_DATA_DIR: " + data.string(), link);
  EXPECT_EQ(owner_of(data), kRoots);
  ASSERT_TRUE(make_data_folders(data, kUser));
  ASSERT_TRUE(make_data_folders(link, kUser));
  ASSERT_TRUE(make_data_folders(link, std::nullopt));
}

TEST_F(DataFolders, InTheUsersOwnFolderNothingIsGiven) {
  ASSERT_TRUE(make_data_folders(data, kUser));
  std::ofstream(data / "infra.db") << "moved there by him";
  expect_refused("infra.db belongs to uid 0");
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
