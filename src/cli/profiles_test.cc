#include "cli/profiles.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "support/temp_folder.h"

namespace infra::cli {
namespace {

TEST(Profiles, AreKeptForTheUserAlone) {
  const testing::TempFolder folder;
  const Profiles profiles(folder.path() / "deep" / "infra");
  EXPECT_EQ(profiles.default_name(), "local");
  ASSERT_TRUE(profiles.write({.name = "a", .url = "https://a", .key = "k\"\\1", .ca_file = "/ca.pem"}));
  ASSERT_TRUE(profiles.make_default("a"));
  EXPECT_EQ(profiles.default_name(), "a");
  const auto read = profiles.read("a");
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->key, "k\"\\1");
  EXPECT_EQ((*read)->ca_file, "/ca.pem");
  struct stat status{};
  ASSERT_EQ(stat((folder.path() / "deep" / "infra" / profile_path("a")).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(Profiles, OneThatIsBrokenIsNamed) {
  const testing::TempFolder folder;
  const Profiles profiles(folder.path());
  ASSERT_TRUE(profiles.write({.name = "a", .url = "https://a", .key = "k"}));
  std::ofstream(folder.path() / profile_path("a")) << "url = ";
  const auto read = profiles.read("a");
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("a.toml"), std::string::npos);
  const auto none = profiles.read("b");
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST(Profiles, NamesAreFilesOfTheFolder) {
  EXPECT_TRUE(is_profile_name("infra.example.com-8080"));
  for (const char* const none : {"", ".", "..", "a/b", ".hidden", "a b"}) EXPECT_FALSE(is_profile_name(none)) << none;
}

}  // namespace
}  // namespace infra::cli
