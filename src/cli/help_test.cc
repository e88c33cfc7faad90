#include "cli/help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/command_table.h"

namespace infra::cli {
namespace {

using ::testing::HasSubstr;

TEST(CommandTable, EachCommandHasItsOwnNameAndOptions) {
  std::set<std::string_view> names;
  for (const auto& command : commands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    EXPECT_TRUE(command.summary.ends_with('.')) << command.name;
    EXPECT_EQ(command.most > 0, !command.arguments.empty()) << command.name;
    EXPECT_LE(command.least, command.most) << command.name;
    std::set<std::string_view> options;
    for (const auto& option : options_of(command)) {
      EXPECT_TRUE(option.name.starts_with("--")) << option.name;
      EXPECT_TRUE(options.insert(option.name).second) << command.name << " " << option.name;
      if (!option.letter.empty()) EXPECT_TRUE(options.insert(option.letter).second) << command.name << option.letter;
    }
  }
}

TEST(CommandTable, ExamplesAreOfTheirCommandAndUseItsOptions) {
  for (const auto& command : commands()) {
    for (const auto& example : command.examples)
      EXPECT_THAT(std::string(example.line), HasSubstr("infra " + std::string(command.name)));
  }
}

TEST(Help, HasEveryCommandAndOption) {
  const std::string all = overall_help();
  const std::string manual = manual_page();
  for (const auto& command : commands()) {
    EXPECT_THAT(all, HasSubstr(std::string(command.name)));
    const std::string help = help_of(command);
    for (const auto& option : command.options) EXPECT_THAT(help, HasSubstr(std::string(option.name)));
    for (const char* const shell : {"bash", "zsh", "fish"})
      EXPECT_THAT(completion(shell), HasSubstr(std::string(command.name))) << shell;
  }
  EXPECT_THAT(manual, HasSubstr(".SS infra deploy [DIR|ZIP]"));
  EXPECT_EQ(completion("csh"), "");
}

}  // namespace
}  // namespace infra::cli
