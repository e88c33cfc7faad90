// What a person sent as JSON is checked before it is used as values.
#include "http/json_fields.h"

#include <gtest/gtest.h>

namespace infra::http {
namespace {

TEST(JsonFields, ReadsAnObjectWithTheChecksOfItsMembers) {
  const auto object = read_object(R"({"name":"f","memoryMb":256})");
  ASSERT_TRUE(object);
  EXPECT_EQ(object->at("memoryMb").as_int64(), 256);
  EXPECT_EQ(read_object("[1]").error().code, "invalid_json");
  EXPECT_EQ(read_object(R"({"a":1,"a":2})").error().code, "duplicate_field");
  EXPECT_TRUE(read_object("{\"a\":" + std::string(40, '[') + std::string(40, ']') + "}"));
  EXPECT_EQ(read_object("{\"a\":" + std::string(100'000, '[')).error().code, "invalid_json");
}

}  // namespace
}  // namespace infra::http
