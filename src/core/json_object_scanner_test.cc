// An object that comes in pieces has the members that it would have whole, and where they are.
#include "core/json_object_scanner.h"

#include <gtest/gtest.h>

#include <string>

namespace infra {
namespace {

using Fault = JsonObjectScanner::Fault;

TEST(JsonObjectScanner, FindsMembersWhereverTheTextIsCut) {
  const std::string text = "\xef\xbb\xbf { \"a\" : [1,{\"b\":2}] ,\"\\u0062\":\"}\\\"\",\"n\":12}\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    JsonObjectScanner scanner;
    for (std::size_t at = 0; at < text.size(); at += piece)
      ASSERT_TRUE(scanner.take({text.data() + at, std::min(piece, text.size() - at)}));
    ASSERT_TRUE(scanner.finish()) << piece;
    ASSERT_EQ(scanner.members().size(), 3U);
    EXPECT_EQ(scanner.members()[0].value.in(text), R"([1,{"b":2}])");
    EXPECT_EQ(scanner.members()[1].name.in(text), R"("\u0062")");
    EXPECT_EQ(scanner.members()[1].value.in(text), R"("}\"")");
    EXPECT_EQ(scanner.members()[2].value.in(text), "12");
  }
}

TEST(JsonObjectScanner, SaysAtTheFirstWrongByteWhatIsWrong) {
  const auto fault = [](std::string_view text) {
    JsonObjectScanner scanner(8);
    EXPECT_FALSE(scanner.take(text) && scanner.finish()) << text;
    JsonObjectScanner slow(8);
    for (const char& c : text) (void)slow.take({&c, 1});
    (void)slow.finish();
    EXPECT_EQ(slow.fault(), scanner.fault()) << text;
    EXPECT_EQ(slow.position(), scanner.position()) << text;
    EXPECT_EQ(slow.expected(), scanner.expected()) << text;
    return std::pair(scanner.fault(), scanner.position());
  };
  EXPECT_EQ(fault(""), std::pair(Fault::no_object, std::size_t{0}));
  EXPECT_EQ(fault(" [1]"), std::pair(Fault::no_object, std::size_t{1}));
  EXPECT_EQ(fault("\xef\xbb{"), std::pair(Fault::no_object, std::size_t{2}));
  EXPECT_EQ(fault("{"), std::pair(Fault::no_json, std::size_t{1}));
  EXPECT_EQ(fault("{,"), std::pair(Fault::no_json, std::size_t{1}));
  EXPECT_EQ(fault("{\"a\":1,}"), std::pair(Fault::no_json, std::size_t{7}));
  EXPECT_EQ(fault("{\"a\":12"), std::pair(Fault::no_json, std::size_t{7}));
  EXPECT_EQ(fault("{\"a\":tru"), std::pair(Fault::no_json, std::size_t{5}));
  EXPECT_EQ(fault("{\"a\" 1}"), std::pair(Fault::no_json, std::size_t{5}));
  EXPECT_EQ(fault("{\"a\":1}}"), std::pair(Fault::no_json, std::size_t{7}));
  EXPECT_EQ(fault("{\"a\":1} x"), std::pair(Fault::no_json, std::size_t{8}));
  EXPECT_EQ(fault("{\"abcdefg\":1}").first, Fault::long_name);
  EXPECT_EQ(fault("{\"a\":" + std::string(kMaxJsonDepth + 1, '[')),
            std::pair(Fault::too_deep, std::size_t{5} + kMaxJsonDepth));
}

TEST(JsonObjectScanner, MembersHaveABound) {
  std::string text = "{\"0\":0";
  for (std::size_t i = 1; i < JsonObjectScanner::kMaxMembers; ++i) text += ",\"x\":0";
  JsonObjectScanner fits;
  EXPECT_TRUE(fits.take(text + "}") && fits.finish());
  JsonObjectScanner one_more;
  EXPECT_FALSE(one_more.take(text + ",\"x\""));
  EXPECT_EQ(one_more.fault(), Fault::too_many);
}

}  // namespace
}  // namespace infra
