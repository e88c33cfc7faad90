// Names as ZIP tools write them: what is odd is mended, what could leave the bundle is refused.
#include "core/bundle_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text.h"

namespace infra {
namespace {

TEST(BundlePathTest, MendsWhatIsOnlyOdd) {
  for (const auto& [name, path] :
       std::vector<std::pair<std::string, std::string>>{{"main.py", "main.py"},
                                                        {"./main.py", "main.py"},
                                                        {"./", ""},
                                                        {".", ""},
                                                        {"/", ""},
                                                        {"//", ""},
                                                        {"/etc/passwd", "etc/passwd"},
                                                        {"a//b", "a/b"},
                                                        {"a/./b/", "a/b"},
                                                        {"././a", "a"},
                                                        {"a..b/...c", "a..b/...c"},
                                                        {"ab:c", "ab:c"},
                                                        {"1:x", "1:x"},
                                                        {"b/C:x", "b/C:x"},
                                                        {"W\xc3\xb6rter", "W\xc3\xb6rter"}}) {
    EXPECT_EQ(bundle_path(name).value_or("refused"), path) << name;
  }
  EXPECT_TRUE(bundle_path(std::string(255, 'a')));
}

TEST(BundlePathTest, RefusesWhatCouldLeaveOrIsAmbiguous) {
  for (const auto& [name, words] : std::vector<std::pair<std::string, std::string>>{
           {"..", "\"..\""},
           {"../x", "\"..\""},
           {"a/../x", "\"..\""},
           {"a/..", "\"..\""},
           {"./../x", "\"..\""},
           {"/../x", "\"..\""},
           {"C:/x", "absolute"},
           {"c:x", "absolute"},
           {"./C:x", "absolute"},
           {"/C:/x", "absolute"},
           {"a\\..\\x", "backslash"},
           {"C:\\x", "backslash"},
           {"", "empty name"},
           {"a\nb", "control character"},
           {std::string("a\0b", 3), "control character"},
           {"a\x7f", "control character"},
           {"\xff.py", "not UTF-8"},
           {"\xc0\xae\xc0\xae/x", "not UTF-8"},
           {std::string(1025, 'a'), "1024 bytes"},
           {"a/" + std::string(256, 'b'), "255 bytes"},
       }) {
    const auto path = bundle_path(name);
    ASSERT_FALSE(path) << name;
    EXPECT_EQ(path.error().code, "invalid_bundle_path");
    EXPECT_THAT(path.error().message, ::testing::HasSubstr(words));
  }
}

TEST(BundlePathTest, ABackslashNamesTheToolsThatWriteIt) {
  const auto path = bundle_path("lib\\util.py");
  ASSERT_FALSE(path);
  for (const auto* words : {"\"lib\\util.py\"", "Compress-Archive", "PowerShell 7", "tar -a", "7-Zip"}) {
    EXPECT_THAT(path.error().message, ::testing::HasSubstr(words));
  }
}

TEST(BundlePathTest, ShowsOnlyTheStartOfAHostileNameAndOnlyAsText) {
  const auto path = bundle_path(std::string(5000, '\xff'));
  ASSERT_FALSE(path);
  EXPECT_LT(path.error().message.size(), 400U);
  EXPECT_TRUE(is_valid_utf8(path.error().message));
}

}  // namespace
}  // namespace infra
