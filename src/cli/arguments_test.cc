#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_table.h"

namespace infra::cli {
namespace {

Outcome<Arguments> read(std::string_view command, std::vector<const char*> words) {
  return Arguments::read(*find_command(command), words);
}

TEST(Arguments, OptionsStandAnywhereAndInAnyForm) {
  const auto typed = read("deploy", {"--memory=256", "hello", "--env", "A=1", "--env", "B=x=y", "--json"});
  ASSERT_TRUE(typed);
  EXPECT_EQ(typed->word(0), "hello");
  EXPECT_EQ(typed->value("--memory"), "256");
  EXPECT_THAT(typed->values("--env"), testing::ElementsAre("A=1", "B=x=y"));
  EXPECT_TRUE(typed->has("--json"));
  EXPECT_EQ(typed->value("--timeout"), std::nullopt);
}

TEST(Arguments, LettersTakeTheirValueWithOrWithoutASpace) {
  EXPECT_EQ(read("invoke", {"f", "-d", "{}"})->value("--data"), "{}");
  EXPECT_EQ(read("invoke", {"f", "-d5"})->value("--data"), "5");
  EXPECT_EQ(read("invoke", {"f", "-d", "-"})->value("--data"), "-");
  EXPECT_EQ(read("invoke", {"--", "-f"})->word(0), "-f");
}

TEST(Arguments, WhatIsTypedWrongIsNamed) {
  const auto says = [](const Outcome<Arguments>& typed) { return typed ? "" : typed.error().message; };
  EXPECT_EQ(says(read("deploy", {"--memroy", "5"})), "infra deploy has no option --memroy; --memory is one.");
  EXPECT_EQ(says(read("deploy", {"--memory"})), "--memory needs a value: MB.");
  EXPECT_EQ(says(read("deploy", {"--json=1"})), "--json takes no value.");
  EXPECT_EQ(says(read("deploy", {"--name", "a", "--name", "b"})), "--name is given twice.");
  EXPECT_EQ(says(read("invoke", {})), "infra invoke needs NAME.");
  EXPECT_EQ(says(read("list", {"all"})), "infra list takes no argument \"all\".");
  EXPECT_EQ(read("list", {"all"}).error().exit, Exit::usage);
  EXPECT_EQ(read("list", {"all"}).error().next, "infra list --help");
}

TEST(Arguments, HelpIsGivenWhateverElseIsMissing) {
  EXPECT_TRUE(read("invoke", {"--help"})->has("--help"));
}

TEST(Arguments, TheNearestNameIsFound) {
  EXPECT_EQ(nearest("depoy", {"deploy", "describe"}), "deploy");
  EXPECT_EQ(nearest("quite-another", {"deploy", "describe"}), "");
}

}  // namespace
}  // namespace infra::cli
