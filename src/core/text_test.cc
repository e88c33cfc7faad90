// ASCII case folding touches nothing else. (UTF-8 is tested where it is used: function_test.cc, job_result_test.cc.)
#include "core/text.h"

#include <gtest/gtest.h>

namespace infra {
namespace {

TEST(AsciiLower, FoldsLettersOnly) {
  EXPECT_EQ(ascii_lower("Application/JSON; q=0.5 [@`{]"), "application/json; q=0.5 [@`{]");
  EXPECT_EQ(ascii_lower("\xc3\x89T\xc3\x89"), "\xc3\x89t\xc3\x89");
  EXPECT_EQ(ascii_lower(""), "");
}

}  // namespace
}  // namespace infra
