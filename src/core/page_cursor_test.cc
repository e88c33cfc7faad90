// Cursors come back as they were given out, and anything else is refused.
#include "core/page_cursor.h"

#include <gtest/gtest.h>

namespace infra {
namespace {

TEST(PageCursor, ComesBackAsItWasMade) {
  const auto key = read_cursor("logs", 2, make_cursor("logs", {"a", "\xff~b"}));
  ASSERT_TRUE(key);
  EXPECT_EQ(*key, (std::vector<std::string>{"a", "\xff~b"}));
}

TEST(PageCursor, RefusesOtherKindsCountsAndSpellings) {
  const std::string cursor = make_cursor("logs", {"a"});
  EXPECT_FALSE(read_cursor("functions", 1, cursor));
  EXPECT_FALSE(read_cursor("logs", 2, cursor));
  for (const std::string& other : {std::string(), cursor + "A", cursor + "=", std::string(2000, 'A'), std::string("%")})
    EXPECT_EQ(read_cursor("logs", 1, other).error().code, "invalid_cursor") << other;
}

TEST(FunctionCursor, ComesBackAndStartsAtTheBeginning) {
  Function last;
  last.id = {"f"};
  last.uploaded_at = WallTime{milliseconds{-5}};
  const auto cursor = read_function_cursor(make_function_cursor(last));
  ASSERT_TRUE(cursor);
  EXPECT_EQ(*cursor, (FunctionCursor{last.uploaded_at, last.id}));
  EXPECT_LT(read_function_cursor("").value(), *cursor);
  EXPECT_FALSE(read_function_cursor(make_cursor("functions", {"12x", "f"})));
}

}  // namespace
}  // namespace infra
