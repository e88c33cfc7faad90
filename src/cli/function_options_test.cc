#include "cli/function_options.h"

#include <gtest/gtest.h>

#include "cli/command_table.h"

namespace infra::cli {
namespace {

std::string shown(const Outcome<std::vector<ApiSetting>>& settings) {
  if (!settings) return settings.error().message;
  std::string text;
  for (const auto& setting : *settings) text += setting.name + "=" + setting.value + " ";
  return text;
}

TEST(ProjectFile, SettingsBecomeTheApis) {
  const auto file = parse_project_file(
      "name = 'hello'\nurl = 'http://a:1'\nmemory = '1gb'\ntimeout = 30\nkeep_warm = 1\n[env]\nA = 'b\"c'\nN = 5\n",
      "infra.toml");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->url, "http://a:1");
  EXPECT_EQ(shown(api_settings(file->options)),
            R"(name=hello memoryMb=1024 timeoutMs=30000 keepWarm=1 envVars={"A":"b\"c","N":"5"} )");
}

TEST(ProjectFile, WhatIsWrongIsNamedWithItsLine) {
  const auto says = [](std::string_view text) {
    const auto file = parse_project_file(text, "infra.toml");
    return file ? std::string() : file.error().message;
  };
  EXPECT_TRUE(says("name = 'a'\nmemroy = 5\n").starts_with("infra.toml, line 2: there is no setting memroy;"));
  EXPECT_TRUE(says("name = 'a'\nx = \n").starts_with("infra.toml, line 2: "));
  EXPECT_EQ(says("memory = [1]\n"), "infra.toml, line 1: memory must be a text, a whole number, true or false.");
  EXPECT_EQ(says("api_key = 'x'\n"), "infra.toml, line 1: keys do not belong beside code.");
  EXPECT_NE(says("[server]\nurl = 'x'\n"), "") << "a setting of no table of ours";
}

TEST(FunctionOptions, WhatIsTypedComesFirst) {
  const auto file = parse_project_file("name = 'a'\nmemory = 128\n[env]\nA = '1'\nB = '2'\n", "infra.toml");
  const std::vector<const char*> words = {"--memory", "512", "--env", "B=3"};
  const auto typed = Arguments::read(*find_command("deploy"), words);
  ASSERT_TRUE(file && typed);
  const auto merged = with_arguments(file->options, *typed);
  ASSERT_TRUE(merged);
  EXPECT_EQ(shown(api_settings(*merged)), R"(name=a memoryMb=512 envVars={"A":"1","B":"3"} )");
}

TEST(FunctionOptions, NumbersThatAreNoneAreRefused) {
  EXPECT_EQ(shown(api_settings({.values = {{"memory", "lots"}}, .env = {}})),
            "memory must be megabytes, as 512 or 1gb, not \"lots\".");
  EXPECT_EQ(shown(api_settings({.values = {{"timeout", "5 minutes"}}, .env = {}})),
            "timeout must be a time, as 30s, 500ms or 5m, not \"5 minutes\".");
}

TEST(Durations, HaveUnits) {
  EXPECT_EQ(parse_duration("30s"), 30'000);
  EXPECT_EQ(parse_duration("500ms"), 500);
  EXPECT_EQ(parse_duration("7"), 7000);
  EXPECT_EQ(parse_duration("2h"), 7'200'000);
  EXPECT_EQ(parse_duration("1d"), 86'400'000);
  for (const char* const none : {"", "s", "5x", "-5s", "1.5s"}) EXPECT_EQ(parse_duration(none), std::nullopt) << none;
}

}  // namespace
}  // namespace infra::cli
