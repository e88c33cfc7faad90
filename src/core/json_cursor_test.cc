// What is JSON is decided by RFC 8259's grammar: no more, because functions' parsers would stumble, and no less.
#include "core/json_cursor.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <boost/json.hpp>
#include <string>

namespace infra {
namespace {

bool is_json(std::string_view text) {
  JsonCursor cursor(text);
  return cursor.value() && cursor.at_end();
}

std::string nested(std::size_t depth, std::string_view open = "[", std::string_view close = "]") {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) text += open;
  for (std::size_t i = 0; i < depth; ++i) text += close;
  return text;
}

TEST(JsonCursor, TakesWhatTheGrammarAllows) {
  using namespace std::string_view_literals;
  for (const auto text : {"0"sv,
                          "-0"sv,
                          "-0.0"sv,
                          "1e400"sv,
                          "1E+5"sv,
                          "1e-99999999999"sv,
                          "1e99999999999"sv,
                          "123456789012345678901234567890"sv,
                          "true"sv,
                          "false"sv,
                          "null"sv,
                          R"("")"sv,
                          R"("\ud83d")"sv,
                          R"("\ude00\ud83d")"sv,
                          R"({"\udc00":"\uDBFF"})"sv,
                          R"("\"\\\/\b\f\n\r\t\u0000")"sv,
                          "\"\x7f\xc2\x80\xe2\x80\xa8\xf0\x9f\x98\x80\xef\xbf\xbf\""sv,
                          "[]"sv,
                          "{}"sv,
                          "[[],{},[{}]]"sv,
                          " [ 1 ,\n2\t,\r{ \"a\" : [ ] } ] "sv,
                          R"({"a":1,"a":2})"sv,
                          R"({"":0})"sv,
                          "\xef\xbb\xbf[1]"sv,
                          "\"a text of more than eight bytes, with an \xc3\xa9 and a \\\" in it\""sv})
    EXPECT_TRUE(is_json(text)) << text;
}

TEST(JsonCursor, RefusesEverythingElse) {
  using namespace std::string_view_literals;
  for (const auto text : {""sv,
                          " "sv,
                          "\xef\xbb\xbf"sv,
                          "NaN"sv,
                          "Infinity"sv,
                          "-"sv,
                          "01"sv,
                          "-01"sv,
                          "+1"sv,
                          "1."sv,
                          ".5"sv,
                          "1e"sv,
                          "1e+"sv,
                          "0x1"sv,
                          "1 2"sv,
                          "tru"sv,
                          "True"sv,
                          "nulls"sv,
                          "undefined"sv,
                          "'a'"sv,
                          "\""sv,
                          "\"a"sv,
                          "\"\\\""sv,
                          "\"\\x\""sv,
                          "\"\\u12\""sv,
                          "\"\\u12g4\""sv,
                          "\"\x01\""sv,
                          "\"a long text with a line break\nin it\""sv,
                          "\"\0\""sv,
                          "\"\xff\""sv,
                          "\"\xed\xa0\xbd\""sv,
                          "\"\xc0\x80\""sv,
                          "\"\xe2\x80\""sv,
                          "["sv,
                          "[1"sv,
                          "[1,]"sv,
                          "[,1]"sv,
                          "[1 2]"sv,
                          "]"sv,
                          "[}"sv,
                          "{]"sv,
                          "{\"a\"}"sv,
                          "{\"a\":}"sv,
                          "{\"a\":1,}"sv,
                          "{a:1}"sv,
                          "{1:2}"sv,
                          "{\"a\" 1}"sv,
                          "[1]]"sv,
                          "// x\n1"sv,
                          "/* */1"sv,
                          "\0"sv,
                          "1\0"sv})
    EXPECT_FALSE(is_json(text)) << text;
}

TEST(JsonCursor, DepthHasABoundAndNoStack) {
  EXPECT_TRUE(is_json(nested(kMaxJsonDepth)));
  EXPECT_TRUE(is_json(nested(kMaxJsonDepth - 1, "{\"a\":[", "]}").substr(0, 6) + "1]}"));
  for (const std::size_t depth : {kMaxJsonDepth + 1, std::size_t{100'000}}) {
    const std::string text = nested(depth);
    JsonCursor cursor(text);
    EXPECT_FALSE(cursor.value());
    EXPECT_EQ(cursor.fault(), JsonCursor::Fault::too_deep);
    EXPECT_EQ(cursor.position(), kMaxJsonDepth);
  }
}

TEST(JsonCursor, SaysWhereAndWhatWouldBeRight) {
  const auto fault = [](std::string_view text) {
    JsonCursor cursor(text);
    EXPECT_FALSE(cursor.value()) << text;
    return std::to_string(cursor.position()) + " " + std::string(cursor.expected());
  };
  EXPECT_EQ(fault("[1,]"), "3 a value is expected");
  EXPECT_EQ(fault("['a']"), "1 strings take double quotes");
  EXPECT_EQ(fault("{a:1}"), "1 a name in double quotes is expected");
  EXPECT_EQ(fault("{\"a\"=1}"), "4 a colon is expected");
  EXPECT_EQ(fault("[1 2]"), "3 a comma or ] is expected");
  EXPECT_EQ(fault("\"abcdefghij\n\""), "11 a control character in a string must be written as an escape");
  EXPECT_EQ(fault("\"abc\\x\""), "4 there is no such escape");
}

TEST(JsonCursor, StepsOverOneValueAtATime) {
  JsonCursor cursor(R"( [1,"]"] , {"a":"}"}x)");
  EXPECT_EQ(cursor.value(), R"([1,"]"])");
  EXPECT_FALSE(cursor.take(':'));
  EXPECT_TRUE(cursor.take(','));
  EXPECT_EQ(cursor.value(), R"({"a":"}"})");
  EXPECT_EQ(cursor.next(), 'x');
  EXPECT_FALSE(cursor.at_end());
}

// Boost.JSON is the other opinion. What it refuses beyond the grammar is tested above and can't be made of these
// pieces.
TEST(JsonCursor, AgreesWithAnotherParserOnWhatIsNearlyRight) {
  const std::string whole = "[{\"a\":[1,-0.5e1,\"x\\n\\u0041\xc3\xa9\"],\"b\":true},null,\"\", 20 ]";
  const std::vector<std::string> pieces = {"",   "{",   "}",    "[",        "]",    ",",      ":",  "\"",
                                           "\\", "\\u", "0",    "1",        "-",    ".5",     "e1", "true",
                                           " ",  "\n",  "\x01", "\xc3\xa9", "\xa9", "\"k\":1"};
  EXPECT_TRUE(is_json(whole));
  EXPECT_TRUE(rc::check([&] {
    std::string text = whole;
    const auto at = *rc::gen::inRange<std::size_t>(0, whole.size());
    text.replace(at, *rc::gen::inRange<std::size_t>(0, 3), *rc::gen::elementOf(pieces));
    boost::system::error_code broken;
    boost::json::parse(text, broken);
    RC_ASSERT(is_json(text) == !broken);
  }));
}

}  // namespace
}  // namespace infra
