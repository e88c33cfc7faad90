// What an operator is told when the data folder can't be had, and that it is had by one program only.
#include "adapters/files/data_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "support/temp_folder.h"

namespace infra {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kNobody = 65534;

TEST(DataFolderTest, MakesAPrivateFolderAndWritesItsPid) {
  testing::TempFolder parent;
  const auto folder = DataFolder::open(parent.path() / "new" / "data");
  ASSERT_TRUE(folder.has_value()) << folder.error().message;
  struct stat info{};
  ASSERT_EQ(::stat(folder->path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  std::ifstream lock(folder->path() / "lock");
  int pid = 0;
  lock >> pid;
  EXPECT_EQ(pid, ::getpid());
}

TEST(DataFolderTest, ASecondProgramIsToldWhoHasItUntilItIsFree) {
  testing::TempFolder parent;
  {
    const auto first = DataFolder::open(parent.path());
    ASSERT_TRUE(first.has_value());
    const auto second = DataFolder::open(parent.path());
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, "data_folder_in_use");
    EXPECT_THAT(second.error().message, HasSubstr("pid " + std::to_string(::getpid())));
    EXPECT_THAT(second.error().message, HasSubstr(parent.path().string()));
  }
  EXPECT_TRUE(DataFolder::open(parent.path()).has_value());
}

TEST(DataFolderTest, AFileInItsPlaceIsNamed) {
  testing::TempFolder parent;
  std::ofstream(parent.path() / "file") << "x";
  const auto folder = DataFolder::open(parent.path() / "file" / "data");
  ASSERT_FALSE(folder.has_value());
  EXPECT_EQ(folder.error().code, "data_folder_unwritable");
  EXPECT_THAT(folder.error().message, HasSubstr((parent.path() / "file").string() + " belongs to"));
  EXPECT_THAT(folder.error().message, HasSubstr("INFRA_DATA_DIR"));
}

// In a child, because root, which tests often run as, may write everywhere.
std::string message_as_nobody(const std::filesystem::path& path) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(kNobody) != 0) ::_exit(2);
    const auto folder = DataFolder::open(path);
    const std::string text = folder ? "opened" : folder.error().message;
    ::_exit(::write(pipe[1], text.data(), text.size()) < 0 ? 3 : 0);
  }
  ::close(pipe[1]);
  std::string text(4096, '\0');
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(::read(pipe[0], text.data(), text.size()), 0)));
  ::close(pipe[0]);
  ::waitpid(child, nullptr, 0);
  return text;
}

TEST(DataFolderTest, AFolderOfSomebodyElseNamesBothUsers) {
  testing::TempFolder parent;
  const auto folder = parent.path() / "data";
  std::filesystem::create_directory(folder);
  ASSERT_EQ(::chmod(folder.c_str(), 0500), 0);
  ASSERT_EQ(::chmod(parent.path().c_str(), 0755), 0);
  const std::string message = message_as_nobody(folder);
  EXPECT_THAT(message, HasSubstr(folder.string()));
  EXPECT_THAT(message, HasSubstr("(uid " + std::to_string(::geteuid()) + ")"));
  const uid_t child_uid = ::geteuid() == 0 ? kNobody : ::geteuid();
  EXPECT_THAT(message, HasSubstr("infra runs as"));
  EXPECT_THAT(message, HasSubstr("uid " + std::to_string(child_uid)));
  EXPECT_THAT(message, HasSubstr("INFRA_DATA_DIR"));
}

}  // namespace
}  // namespace infra
