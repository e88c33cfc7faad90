#include "cli/output.h"

#include <gtest/gtest.h>

namespace infra::cli {
namespace {

TEST(Printable, NothingMovesTheCursor) {
  EXPECT_EQ(printable("a\x1b[2Jb\r\x07"), "a\xef\xbf\xbd[2Jb\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(printable("a\xc2\x9b"
                      "b"),
            "a\xef\xbf\xbd"
            "b")
      << "a control character of two bytes";
  EXPECT_EQ(printable("ä\t\n", true), "ä\t\n");
  EXPECT_EQ(printable("a\nb", false), "a b");
  EXPECT_EQ(printable("\xff"), "\xef\xbf\xbd");
}

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  EXPECT_EQ(table_text({{"A", "B"}, {"ääää", "x"}, {"b", "yy"}}), "A     B\nääää  x\nb     yy\n");
}

TEST(Sizes, AreShort) {
  EXPECT_EQ(size_text(999), "999 B");
  EXPECT_EQ(size_text(9'437'184), "9.4 MB");
}

}  // namespace
}  // namespace infra::cli
