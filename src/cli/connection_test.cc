#include "cli/connection.h"

#include <gtest/gtest.h>

#include "cli/command_table.h"
#include "support/temp_folder.h"

namespace infra::cli {
namespace {

class Choosing : public ::testing::Test {
 protected:
  Outcome<Connection> choose(const std::vector<const char*>& words, const ConnectionVariables& variables = {},
                             const std::string& project_url = {}) {
    const auto typed = Arguments::read(*find_command("list"), words);
    return choose_connection(*typed, variables, project_url, profiles_);
  }
  static std::string shown(const Outcome<Connection>& chosen) {
    return chosen ? chosen->url + " " + chosen->key : chosen.error().message;
  }
  void keep(const std::string& name, const std::string& url, const std::string& key) {
    ASSERT_TRUE(profiles_.write({.name = name, .url = url, .key = key}));
  }

  testing::TempFolder folder_;
  Profiles profiles_{folder_.path() / "infra"};
};

TEST_F(Choosing, NothingIsKnownAtFirst) {
  EXPECT_EQ(shown(choose({})), "No platform is known yet.");
}

TEST_F(Choosing, OptionsThenEnvironmentThenProjectThenProfile) {
  keep("local", "http://local", "l");
  keep("toml", "http://toml", "t");
  EXPECT_EQ(shown(choose({})), "http://local l");
  EXPECT_EQ(shown(choose({}, {}, "http://toml/")), "http://toml t");
  EXPECT_EQ(shown(choose({}, {.url = "http://env", .key = "e"}, "http://toml")), "http://env e");
  EXPECT_EQ(shown(choose({"--url", "http://flag", "--api-key", "f"}, {.url = "http://env", .key = "e"})),
            "http://flag f");
  EXPECT_EQ(shown(choose({"--profile", "local"}, {}, "http://toml")), "http://local l");
}

TEST_F(Choosing, AProfilesKeyGoesToItsUrlAlone) {
  keep("local", "http://local", "secret");
  EXPECT_EQ(shown(choose({}, {}, "http://a-strangers-host")), "No key is known for http://a-strangers-host.");
  EXPECT_EQ(shown(choose({"--profile", "local", "--url", "http://other"})), "No key is known for http://other.");
  EXPECT_EQ(shown(choose({"--url", "http://local/"})), "http://local secret");
}

TEST_F(Choosing, TheEnvironmentsAuthoritiesThenTheProfiles) {
  ASSERT_TRUE(profiles_.write({.name = "own", .url = "https://own", .key = "k", .ca_file = "/own.pem"}));
  EXPECT_EQ(choose({"--profile", "own"})->ca_file, "/own.pem");
  EXPECT_EQ(choose({"--profile", "own"}, {.ca_file = "/other.pem"})->ca_file, "/other.pem");
  EXPECT_EQ(choose({}, {.url = "https://another", .key = "k"})->ca_file, "");
}

TEST_F(Choosing, AProfileThatIsNotThereIsSaid) {
  keep("local", "http://local", "l");
  EXPECT_EQ(shown(choose({"--profile", "none"})), "There is no profile none.");
  EXPECT_NE(shown(choose({"--profile", "../x"})).find("no profile's name"), std::string::npos);
}

TEST(Url, IsHttpWithAHost) {
  EXPECT_EQ(normal_url("https://a:1/base/").value_or(""), "https://a:1/base");
  for (const char* const none : {"", "a:1", "ftp://a", "http://", "http://u:p@a", "http://a/?q"})
    EXPECT_FALSE(normal_url(none)) << none;
}

}  // namespace
}  // namespace infra::cli
