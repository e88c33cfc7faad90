#include "cli/run_result.h"

#include <gtest/gtest.h>

namespace infra::cli {
namespace {

TEST(PrintedPart, IsWithoutWhatWasReturned) {
  EXPECT_EQ(printed_part("hello\n{\"a\": 1}\n", R"({"a":1})"), "hello\n");
  EXPECT_EQ(printed_part("{\"a\": 1}\n", R"({"a":1})"), "");
  EXPECT_EQ(printed_part("hello\nTrue\n", "true"), "hello\n");
  EXPECT_EQ(printed_part("hello\ntwo\nlines\n", R"("two\nlines")"), "hello\n");
  EXPECT_EQ(printed_part("5\n", "5"), "");
}

TEST(PrintedPart, IsAllWhereNothingOrSomethingElseWasReturned) {
  EXPECT_EQ(printed_part("hello\n", "null"), "hello\n");
  EXPECT_EQ(printed_part("hello\n", ""), "hello\n");
  EXPECT_EQ(printed_part("hello\n", "{\"a\":1}"), "hello\n");
  EXPECT_EQ(printed_part("", "1"), "");
}

}  // namespace
}  // namespace infra::cli
