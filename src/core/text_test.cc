// ASCII case folding touches nothing else; text is shortened as JavaScript counts it; UTF-8 is exactly Unicode's table.
#include "core/text.h"

#include <gtest/gtest.h>

#include <limits>

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

TEST(ParseWhole, IsDigitsAndNothingElse) {
  EXPECT_EQ(parse_whole("0"), 0);
  EXPECT_EQ(parse_whole("-12"), -12);
  EXPECT_EQ(parse_whole("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  for (const char* text : {"", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "9223372036854775808", "--1"}) {
    EXPECT_EQ(parse_whole(text), std::nullopt) << text;
  }
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

// Unicode 15, table 3-7: the last well-formed and the first ill-formed sequence at every boundary.
TEST(TextTest, Utf8IsExactlyUnicodesTable) {
  for (const std::string_view good : {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                                      "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xe2\x82\xac!"}) {
    EXPECT_TRUE(is_valid_utf8(good)) << good;
  }
  for (const std::string_view bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x7f", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82", "\xe2\x82(",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x90\x80", "\xff", "ok\xbf"}) {
    EXPECT_FALSE(is_valid_utf8(bad));
  }
}

}  // namespace
}  // namespace infra
