// A run's input must reach its function as it was written, and what is no JSON must be refused before it travels.
#include "core/json_members.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace infra {
namespace {

using ::testing::HasSubstr;

std::string message_of(std::string_view body) {
  const auto object = read_members(body);
  EXPECT_FALSE(object) << body;
  if (object) return "";
  EXPECT_EQ(object.error().kind, ErrorKind::invalid);
  EXPECT_EQ(object.error().code, "invalid_json");
  return object.error().message;
}

TEST(JsonMembers, KeepsRawTextOfMembers) {
  const std::string document =
      R"( { "functionId" : "f\u0031", "inputData": {"big": 12345678901234567890123, "f": 1.0, "s": "}\"]"} ,"n":null} )";
  const auto object = read_members(document);
  ASSERT_TRUE(object) << object.error().message;
  ASSERT_EQ(object->members().size(), 3U);
  EXPECT_EQ(object->members()[0].name, "functionId");
  EXPECT_EQ(object->text("functionId"), R"("f\u0031")");
  EXPECT_EQ(object->string("functionId"), "f1");
  EXPECT_EQ(object->text("inputData"), R"({"big": 12345678901234567890123, "f": 1.0, "s": "}\"]"})");
  EXPECT_EQ(object->text("n"), "null");
  EXPECT_EQ(object->text("absent"), std::nullopt);
  EXPECT_EQ(object->number("absent"), std::nullopt);
  EXPECT_EQ(object->string("inputData"), "");
}

TEST(JsonMembers, KeepsScalarsArraysAndLoneSurrogates) {
  const auto object =
      read_members(R"({"a":[1,[2,{"x":3}]],"b":-1e5,"c":true,"\u0064":"\ud83d","\ud83d":{"\udc00":0}})");
  ASSERT_TRUE(object);
  EXPECT_EQ(object->text("a"), R"([1,[2,{"x":3}]])");
  EXPECT_EQ(object->text("b"), "-1e5");
  EXPECT_EQ(object->text("c"), "true");
  EXPECT_EQ(object->text("d"), R"("\ud83d")");
  EXPECT_EQ(object->string("d"), "\xef\xbf\xbd");
  EXPECT_EQ(object->text("\xef\xbf\xbd"), R"({"\udc00":0})");
}

TEST(JsonMembers, RefusesWhatIsNoObject) {
  for (const char* document :
       {" ", "nonsense", "{\"a\":1", "{\"a\":1} x", "{'a':1}", "{\"a\":\"\xff\"}", "{\"a\":01}", "[1] 2"})
    EXPECT_THAT(message_of(document), HasSubstr("not valid JSON (at byte")) << document;
  for (const char* document : {"[1]", "\"text\"", " 7 "})
    EXPECT_EQ(message_of(document), "The body must be a JSON object.");
  EXPECT_THAT(message_of(""), HasSubstr("empty"));
  EXPECT_THAT(message_of("functionId=f"), HasSubstr("at byte 0: a value is expected"));
  EXPECT_THAT(message_of("{\"a\":1,}"), HasSubstr("at byte 7: a name in double quotes is expected"));
  EXPECT_EQ(read_members(R"({"a":1,"\u0061":2})").error().code, "duplicate_field");
  EXPECT_LT(read_members("{\"" + std::string(5000, 'a') + "\":1,\"" + std::string(5000, 'a') + "\":2}")
                .error()
                .message.size(),
            200U);
  std::string many = "{\"0\":0";
  for (int i = 1; i < 64; ++i) many += fmt::format(",\"{}\":0", i);
  EXPECT_TRUE(read_members(many + "}"));
  EXPECT_THAT(message_of(many + ",\"x\":0}"), HasSubstr("64 fields"));
}

TEST(JsonMembers, EachValueMayBeDeepAndNoDeeper) {
  const auto body = [](std::size_t depth) {
    return "{\"in\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(read_members(body(kMaxJsonDepth)));
  EXPECT_EQ(message_of(body(kMaxJsonDepth + 1)), "in is nested too deeply: a value may be at most 499 levels deep.");
  EXPECT_THAT(message_of(std::string(100'000, '[')), HasSubstr("The body is nested too deeply"));
  EXPECT_THAT(message_of("{\"a\":" + std::string(100'000, '{')), HasSubstr("a name in double quotes"));
}

TEST(JsonMembers, ABomIsSkippedAndOtherEncodingsAreNamed) {
  using namespace std::string_literals;
  EXPECT_EQ(read_members("\xef\xbb\xbf{\"a\":1}")->text("a"), "1");
  const auto says = [](const std::string& body) { return message_of(body); };
  for (const auto& body : {"\xff\xfe{\0}\0"s, "\xfe\xff\0{\0}"s, "{\0}\0"s, "\0{\0}"s})
    EXPECT_THAT(says(body), HasSubstr("is UTF-16;"));
  for (const auto& body : {"\xff\xfe\0\0{\0\0\0"s, "\0\0\xfe\xff\0\0\0{"s, "{\0\0\0}\0\0\0"s, "\0\0\0{\0\0\0}"s})
    EXPECT_THAT(says(body), HasSubstr("is UTF-32;"));
  EXPECT_THAT(says("\x1f\x8b\x08\0"s), HasSubstr("Content-Encoding: gzip"));
}

TEST(JsonMembers, EmptyObjectHasNoMembers) {
  EXPECT_TRUE(read_members(" {} ")->members().empty());
}

}  // namespace
}  // namespace infra
