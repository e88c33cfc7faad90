// What a PUT changes: memoryMb is strict, its other name as lenient as the dashboard that sends it, and the two never
// contradict each other.
#include "http/function_form.h"

#include <gtest/gtest.h>

#include <string>

namespace infra::http {
namespace {

Result<FunctionChange> from_form(std::map<std::string, std::string, std::less<>> fields, net::Headers headers = {}) {
  FunctionForm form;
  form.fields = std::move(fields);
  return change_from_form(headers, form);
}

TEST(FunctionForm, MemoryIsRaisedToTheLeastThereIsAndMemoryMbIsNot) {
  for (const auto& [given, wanted] :
       {std::pair{1, 128}, {32, 128}, {127, 128}, {128, 128}, {200, 200}, {10240, 10240}}) {
    const std::string text = std::to_string(given);
    EXPECT_EQ(change_from_json(R"({"memory":)" + text + "}")->get(&FunctionSettings::memory_mb), wanted);
    EXPECT_EQ(from_form({{"memory", text}})->get(&FunctionSettings::memory_mb), wanted);
    const auto strict = change_from_json(R"({"memoryMb":)" + text + "}");
    EXPECT_EQ(strict.has_value(), given >= 128) << given;
    EXPECT_EQ(from_form({{"memoryMb", text}}).has_value(), given >= 128) << given;
  }
}

TEST(FunctionForm, WhatIsNoAmountOfMemoryIsRefusedUnderEitherName) {
  for (const char* wrong : {"0", "-1", "10241", "32.5", "\"256\"", "null", "true", "[128]", "1e30"}) {
    for (const char* name : {"memory", "memoryMb"}) {
      const auto change = change_from_json(std::string("{\"") + name + "\":" + wrong + "}");
      ASSERT_FALSE(change) << name << ' ' << wrong;
      EXPECT_EQ(change.error().code, "invalid_memory");
      EXPECT_TRUE(change.error().message.starts_with("Invalid memoryMb: ")) << change.error().message;
    }
  }
  for (const char* wrong : {"", "0", "ten", "12.5", " 256"}) EXPECT_FALSE(from_form({{"memory", wrong}})) << wrong;
}

TEST(FunctionForm, EnvVarsAreAsManyAsTheirBytesAllowInAFormAndInJson) {
  std::string variables = "{";
  for (int i = 0; i < 1000; ++i) variables += (i == 0 ? "\"V" : ",\"V") + std::to_string(i) + "\":\"\xc3\xa9\"";
  variables += "}";
  const Result<FunctionChange> of_json = change_from_json(R"({"envVars":)" + variables + "}");
  for (const auto& change : {from_form({{"envVars", variables}}), of_json}) {
    ASSERT_TRUE(change) << change.error().message;
    EXPECT_EQ(change->get(&FunctionSettings::env)->size(), 1000U);
    EXPECT_EQ(change->get(&FunctionSettings::env)->at("V999"), "\xc3\xa9");
  }
  for (const char* wrong : {"", "{", "[]", "null", R"({"A":1})", R"({"A":null})"}) {
    EXPECT_EQ(from_form({{"envVars", wrong}}).error().code, "invalid_env_vars") << wrong;
  }
}

TEST(FunctionForm, OneOfTheTwoNamesIsGivenAndAHeaderHoldsOverEither) {
  for (const char* both : {R"({"memory":256,"memoryMb":256})", R"({"memoryMb":512,"memory":64})"}) {
    const auto change = change_from_json(both);
    ASSERT_FALSE(change);
    EXPECT_EQ(change.error().code, "duplicate_field");
  }
  EXPECT_EQ(from_form({{"memory", "256"}, {"memoryMb", "256"}}).error().code, "duplicate_field");
  net::Headers headers;
  headers.add("x-memory-mb", "512");
  EXPECT_EQ(from_form({{"memory", "256"}}, headers)->get(&FunctionSettings::memory_mb), 512);
  EXPECT_EQ(from_form({{"memoryMb", "256"}}, headers)->get(&FunctionSettings::memory_mb), 512);
}

}  // namespace
}  // namespace infra::http
