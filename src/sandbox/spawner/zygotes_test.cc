#include "sandbox/spawner/zygotes.h"

#include <gtest/gtest.h>

namespace infra::sandbox {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST(ZygoteTermTest, IsAThousandForksOrTenMinutes) {
  const ZygoteTerm term;
  EXPECT_FALSE(is_over(term, 999, minutes(10) - seconds(1)));
  EXPECT_TRUE(is_over(term, 1000, seconds(1)));
  EXPECT_TRUE(is_over(term, 999, minutes(10)));
  EXPECT_TRUE(is_over(term, kFewForks, minutes(10)));
}

TEST(ZygoteTermTest, OneThatHasForkedFewIsKept) {
  EXPECT_FALSE(is_over({}, kFewForks - 1, std::chrono::hours(1000)));
  EXPECT_FALSE(is_over({}, 0, minutes(10)));
}

}  // namespace
}  // namespace infra::sandbox
