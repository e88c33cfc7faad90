#include "cli/ignore_rules.h"

#include <gtest/gtest.h>

namespace infra::cli {
namespace {

TEST(Glob, StarsStayWithinAName) {
  EXPECT_TRUE(matches_glob("*.log", "a.log"));
  EXPECT_TRUE(matches_glob("a*c*e", "abcde"));
  EXPECT_FALSE(matches_glob("*.log", "a/b.log"));
  EXPECT_FALSE(matches_glob("*.log", "a.logs"));
  EXPECT_TRUE(matches_glob("?b", "ab"));
  EXPECT_FALSE(matches_glob("a?b", "a/b"));
}

TEST(Glob, TwoStarsGoOverFolders) {
  EXPECT_TRUE(matches_glob("**/x", "x"));
  EXPECT_TRUE(matches_glob("**/x", "a/b/x"));
  EXPECT_TRUE(matches_glob("a/**/x", "a/x"));
  EXPECT_TRUE(matches_glob("a/**/x", "a/b/c/x"));
  EXPECT_TRUE(matches_glob("a/**", "a/b/c"));
  EXPECT_FALSE(matches_glob("a/**/x", "b/x"));
  EXPECT_FALSE(matches_glob("**/x", "ax")) << "whole folders";
  EXPECT_FALSE(matches_glob("a/**/x", "a/bx"));
  EXPECT_TRUE(matches_glob("**/a*/b", "c/a/a1/b"));
}

TEST(Glob, ClassesAndEscapes) {
  EXPECT_TRUE(matches_glob("[a-c]x", "bx"));
  EXPECT_FALSE(matches_glob("[!a-c]x", "bx"));
  EXPECT_TRUE(matches_glob("[]]", "]"));
  EXPECT_TRUE(matches_glob("[a", "[a")) << "no class";
  EXPECT_TRUE(matches_glob("\\*", "*"));
  EXPECT_FALSE(matches_glob("\\*", "a"));
}

TEST(Glob, TakesNoTimeForManyStars) {
  EXPECT_FALSE(matches_glob(std::string(60, 'a') + "*a*a*a*a*a*a*a*a*a*b", std::string(20'000, 'a')));
}

TEST(IgnoreRules, TheLastRuleThatMatchesCounts) {
  const IgnoreRules rules("*.log\n!keep.log\n# a comment\n\nbuild/\n/top.txt\ndocs/*.md\r\n");
  EXPECT_TRUE(rules.ignores("a/b.log", false));
  EXPECT_FALSE(rules.ignores("a/keep.log", false));
  EXPECT_TRUE(rules.ignores("a/build", true));
  EXPECT_FALSE(rules.ignores("a/build", false)) << "folders alone";
  EXPECT_TRUE(rules.ignores("top.txt", false));
  EXPECT_FALSE(rules.ignores("a/top.txt", false));
  EXPECT_TRUE(rules.ignores("docs/a.md", false));
  EXPECT_FALSE(rules.ignores("docs/a/b.md", false));
}

TEST(IgnoreRules, SecretsAndRepositoriesStayOutUnlessTakenBack) {
  const IgnoreRules plain;
  EXPECT_TRUE(plain.ignores(".env", false));
  EXPECT_TRUE(plain.ignores(".git", true));
  EXPECT_TRUE(plain.ignores("a/__pycache__", true));
  EXPECT_TRUE(plain.ignores("infra.toml", false));
  EXPECT_FALSE(plain.ignores("a/infra.toml", false));
  EXPECT_FALSE(plain.ignores("main.py", false));
  EXPECT_FALSE(IgnoreRules("!.env\n").ignores(".env", false));
}

}  // namespace
}  // namespace infra::cli
