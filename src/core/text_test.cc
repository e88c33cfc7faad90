// ASCII case folding touches nothing else; text is shortened as JavaScript counts it. (UTF-8 is tested where it is
// used: function_test.cc, job_result_test.cc.)
#include "core/text.h"

#include <gtest/gtest.h>

namespace infra {
namespace {

TEST(AsciiLower, FoldsLettersOnly) {
  EXPECT_EQ(ascii_lower("Application/JSON; q=0.5 [@`{]"), "application/json; q=0.5 [@`{]");
  EXPECT_EQ(ascii_lower("\xc3\x89T\xc3\x89"), "\xc3\x89t\xc3\x89");
  EXPECT_EQ(ascii_lower(""), "");
}

TEST(Trim, TakesWhiteSpaceOffBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim("a"), "a");
  EXPECT_EQ(trim(" \n "), "");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim(" a\n", " "), "a\n");
}

TEST(Shorten, CountsUnitsOfUtf16AndCutsNoCharacter) {
  EXPECT_EQ(shorten("", 3), "");
  EXPECT_EQ(shorten("abc", 3), "abc");
  EXPECT_EQ(shorten("abcd", 3), "abc...");
  EXPECT_EQ(shorten("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 3), "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
  EXPECT_EQ(shorten("\xe2\x82\xac\xe2\x82\xac", 1), "\xe2\x82\xac...");
  const std::string face = "\xf0\x9f\x98\x80";  // two units
  EXPECT_EQ(shorten("a" + face, 3), "a" + face);
  EXPECT_EQ(shorten("ab" + face, 3), "ab...");
  EXPECT_EQ(shorten(face + face, 3), face + "...");
}

}  // namespace
}  // namespace infra
