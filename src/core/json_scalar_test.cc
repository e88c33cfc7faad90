// Strings and numbers are read as another parser reads them, without its memory.
#include "core/json_scalar.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

#include "core/json_text.h"
#include "core/json_value.h"
#include "core/text.h"

namespace infra {
namespace {

TEST(JsonScalar, ReadsStringsAsAnotherParserDoes) {
  const std::vector<std::string> parts = {
      "a",       "\\n",     "\\\"",    "\\\\",    "\\/",     "\\b\\f\\r\\t", "\\u0041",         "\\u00e9",
      "\\u20ac", "\\ud83d", "\\ude00", "\\uDBFF", "\\u0000", "\xc3\xa9",     "\xf0\x9f\x98\x80"};
  EXPECT_TRUE(rc::check([&] {
    std::string json = "\"";
    for (const auto& part : *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(parts))) json += part;
    json += '"';
    RC_ASSERT(json_string_value(json) == std::string(parse_json(json)->get_string()));
  }));
}

TEST(JsonScalar, WritesWhatItReads) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    const std::string json = json_quote(text);
    RC_ASSERT(json.size() == json_string_size(text));
    RC_ASSERT(json_string_value(json) == replace_invalid_utf8(text));
    RC_ASSERT(parse_json(json)->get_string() == replace_invalid_utf8(text));
  }));
  EXPECT_EQ(json_quote("\"\\\b\f\n\r\t\x01\x7f/"), "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f/\"");
}

TEST(JsonScalar, KeepsNoMoreThanIsAskedFor) {
  EXPECT_EQ(json_string_value(R"("abcdef")", 3), "abc");
  EXPECT_EQ(json_string_value("\"a\xc3\xa9\"", 2), "a");
  EXPECT_EQ(json_string_value(R"("\n\n\n")", 2), "\n\n");
  EXPECT_EQ(json_string_value(R"("abcdef\n")", 3), "abc");
  EXPECT_LT(json_string_value('"' + std::string(1 << 20, 'x') + '"', 16)->capacity(), 64U);
}

TEST(JsonScalar, AnotherValueIsNone) {
  for (const auto* json : {"", "1", "[\"a\"]", "{}", "null", "true"}) EXPECT_FALSE(json_string_value(json)) << json;
  for (const auto* json : {"", "[1]", "\"1\"", "null", "1e400", "{}", "1 "})
    EXPECT_FALSE(json_number_value(json)) << json;
  EXPECT_EQ(json_number_value("-12.5e1"), -125);
  EXPECT_EQ(json_number_value("12345678901234567890123"), 12345678901234567890123.0);
  EXPECT_EQ(json_number_value(std::string(100'000, '1')), std::nullopt);
}

}  // namespace
}  // namespace infra
