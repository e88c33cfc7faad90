// A run's input must reach its function as it was written, and what is no JSON must be refused before it travels.
#include "core/json_members.h"

#include <gtest/gtest.h>

namespace infra {
namespace {

TEST(JsonMembers, KeepsRawTextOfMembers) {
  const std::string document =
      R"( { "functionId" : "f\u0031", "inputData": {"big": 12345678901234567890123, "f": 1.0, "s": "}\"]"} ,"n":null} )";
  const auto members = read_members(document);
  ASSERT_TRUE(members) << members.error().message;
  ASSERT_EQ(members->size(), 3U);
  EXPECT_EQ((*members)[0].name, "functionId");
  EXPECT_EQ((*members)[0].text, R"("f\u0031")");
  EXPECT_EQ((*members)[1].text, R"({"big": 12345678901234567890123, "f": 1.0, "s": "}\"]"})");
  EXPECT_EQ((*members)[2].text, "null");
}

TEST(JsonMembers, KeepsScalarsAndArrays) {
  const auto members = read_members(R"({"a":[1,[2,{"x":3}]],"b":-1e5,"c":true,"d":"x"})");
  ASSERT_TRUE(members);
  ASSERT_EQ(members->size(), 4U);
  EXPECT_EQ((*members)[0].text, R"([1,[2,{"x":3}]])");
  EXPECT_EQ((*members)[1].text, "-1e5");
  EXPECT_EQ((*members)[2].text, "true");
  EXPECT_EQ((*members)[3].text, R"("x")");
}

TEST(JsonMembers, RefusesWhatIsNoObject) {
  for (const char* document : {"", " ", "nonsense", "[1]", "\"text\"", "{\"a\":1", "{\"a\":1} x", "{'a':1}",
                               "{\"a\":\"\xff\"}", "{\"a\":01}"}) {
    const auto members = read_members(document);
    ASSERT_FALSE(members) << document;
    EXPECT_EQ(members.error().code, "invalid_json") << document;
  }
  EXPECT_EQ(read_members(R"({"a":1,"a":2})").error().code, "duplicate_field");
}

TEST(JsonMembers, RefusesDepthThatWouldExhaustAStack) {
  const std::string deep(100'000, '[');
  EXPECT_EQ(read_members("{\"a\":" + deep).error().code, "invalid_json");
  const std::string nested = "{\"a\":" + std::string(40, '[') + std::string(40, ']') + "}";
  EXPECT_TRUE(read_members(nested));
}

TEST(JsonMembers, EmptyObjectHasNoMembers) {
  EXPECT_TRUE(read_members(" {} ")->empty());
}

}  // namespace
}  // namespace infra
