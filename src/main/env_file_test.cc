// The values are dotenv 16's; what it skips or misreads without a word is said.
#include "main/env_file.h"

#include <gmock/gmock.h>

namespace infra {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

std::string value_of(std::string_view written) {
  const auto file = parse_env_file("A=" + std::string(written));
  EXPECT_THAT(file.problems, IsEmpty()) << written;
  return file.variables.at("A");
}

TEST(EnvFile, ReadsNamesAndSkipsComments) {
  const auto file = parse_env_file(
      "\xef\xbb\xbf"
      "A=1\n# B=2\n\n  C = 3\r\nexport D=4\rexport\t E=5\nyaml: 6\nwith.dot-and_2=7\nexport=8\nA=9\n2F==\n");
  EXPECT_THAT(file.problems, IsEmpty());
  EXPECT_THAT(file.variables,
              ElementsAre(Pair("2F", "="), Pair("A", "9"), Pair("C", "3"), Pair("D", "4"), Pair("E", "5"),
                          Pair("export", "8"), Pair("with.dot-and_2", "7"), Pair("yaml", "6")));
}

TEST(EnvFile, AValueWithoutQuotesIsTrimmedAndEndsAtAHash) {
  EXPECT_EQ(value_of(""), "");
  EXPECT_EQ(value_of("   some spaced text  \t"), "some spaced text");
  EXPECT_EQ(value_of("two words # a comment # more"), "two words");
  EXPECT_EQ(value_of("key#1"), "key");
  EXPECT_EQ(value_of(" # none"), "");
  EXPECT_EQ(value_of(R"(a\nb)"), R"(a\nb)");
  EXPECT_EQ(value_of(R"({"json": "it's"})"), R"({"json": "it's"})");
  EXPECT_EQ(value_of("user@host?a=b"), "user@host?a=b");
}

TEST(EnvFile, QuotesKeepWhatIsInThem) {
  EXPECT_EQ(value_of(R"("")"), "");
  EXPECT_EQ(value_of(R"( '  key#1 '  # a comment)"), "  key#1 ");
  EXPECT_EQ(value_of(R"("key#1"#comment)"), "key#1");
  EXPECT_EQ(value_of(R"(`it's a "word"`)"), R"(it's a "word")");
  EXPECT_EQ(value_of(R"("a\nb\r\tc\\n")"), "a\nb\r\\tc\\\n");
  EXPECT_EQ(value_of(R"('a\nb')"), R"(a\nb)");
  EXPECT_EQ(value_of(R"(`a\nb`)"), R"(a\nb)");
  EXPECT_EQ(value_of(R"("say \"hi\"")"), R"(say \"hi\")");
  EXPECT_EQ(value_of(R"('C:\path\')"), R"(C:\path\)");
}

TEST(EnvFile, QuotesGoOnOverLines) {
  const auto file = parse_env_file("A=\"one\r\n# two\nB=3\" # end\nC='x\n\ny'\nthis is line 6\n");
  EXPECT_THAT(file.variables, ElementsAre(Pair("A", "one\n# two\nB=3"), Pair("C", "x\n\ny")));
  EXPECT_THAT(file.problems, ElementsAre(HasSubstr("line 7")));
}

TEST(EnvFile, TextBehindAQuoteMakesItPartOfTheValue) {
  EXPECT_EQ(value_of(R"("a" b)"), R"("a" b)");
  EXPECT_EQ(value_of(R"('a','b')"), R"(a','b)");
  EXPECT_EQ(value_of(R"("a" b # c)"), R"("a" b)");
}

TEST(EnvFile, SaysWhereAHashMayHaveCutAValue) {
  const auto file = parse_env_file(
      "CUT=key#1\nEMPTY=#1\nQUOTED='key#1'\nBEHIND=\"key\"#1\nSPACED=key "
      "#1\nTABBED=key\t#1\nLATER=a#b\nLATER=ab\nPLAIN=key\n");
  EXPECT_THAT(file.shortened, ElementsAre("CUT", "EMPTY"));
  EXPECT_THAT(file.problems, IsEmpty());
}

TEST(EnvFile, NamesBadLinesWithoutTheirText) {
  const auto file = parse_env_file("A=1\nthis is secret\n=x\nC=\"open secret\nD='open # isn't\nB:x\nE=2\n");
  EXPECT_THAT(file.problems,
              ElementsAre(HasSubstr("line 2"), HasSubstr("line 3"), HasSubstr("line 4: the value's quote"),
                          HasSubstr("line 5"), HasSubstr("line 6")));
  EXPECT_THAT(file.problems, Each(Not(HasSubstr("secret"))));
  EXPECT_THAT(file.variables, ElementsAre(Pair("A", "1"), Pair("E", "2")));
}

}  // namespace
}  // namespace infra
