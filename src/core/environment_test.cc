// The rules for environment variables, at their edges, and that each refusal names its variable.
#include "core/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "core/limits.h"

namespace infra {
namespace {

using ::testing::HasSubstr;

template <typename T>
void expect_refused(const Result<T>& result, std::string_view code, const std::string& field) {
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, ErrorKind::invalid);
  EXPECT_EQ(result.error().code, code);
  EXPECT_THAT(result.error().message, HasSubstr(field));
}

TEST(EnvironmentTest, EnvironmentNamesAreWellFormedAndNotThePlatforms) {
  EXPECT_TRUE(check_environment({{"_A1", ""}, {"b", "x=y\n"}}).has_value());
  for (const char* name : {"", "1A", "A-B", "A B", "A=B", "\xc3\x84"}) {
    expect_refused(check_environment({{name, "v"}}), "invalid_env_vars", "envVars");
  }
  for (const char* name :
       {"LD_PRELOAD", "LD_X", "PATH", "PYTHONPATH", "NODE_OPTIONS", "JOB_ID", "FUNCTION_ID", "LLM_MODEL", "MEMORY_MB",
        "AI_ENDPOINT", "OUTPUT_DIR", "PAYLOAD", "PAYLOAD_FILE", "TRACEPARENT", "INFRA_API_KEY"}) {
    expect_refused(check_environment({{name, "v"}}), "reserved_env_var", name);
  }
}

TEST(EnvironmentTest, TheThreadPoolOfNodeIsBoundedAndTheirsAlone) {
  const auto size = [](Runtime runtime, const char* value) {
    return thread_pool_size(runtime, {{"UV_THREADPOOL_SIZE", value}});
  };
  for (const char* good : {"1", "16", "64"}) {
    EXPECT_TRUE(check_environment({{"UV_THREADPOOL_SIZE", good}}).has_value());
    EXPECT_EQ(size(Runtime::nodejs, good), std::stoi(good));
    EXPECT_EQ(size(Runtime::python, good), 0);
  }
  EXPECT_TRUE(check_environment({{"UV_THREADPOOL_SIZE", "1024"}}).has_value());
  EXPECT_EQ(size(Runtime::nodejs, "1024"), limits::kMaxThreadPool);
  for (const char* bad : {"", "0", "-1", "1025", "4.5", " 4", "many", "99999999999999999999"}) {
    expect_refused(check_environment({{"UV_THREADPOOL_SIZE", bad}}), "invalid_env_vars", "from 1 to 1024");
    EXPECT_EQ(size(Runtime::nodejs, bad), 0);  // of a row that another controller wrote
  }
  EXPECT_EQ(thread_pool_size(Runtime::nodejs, {}), 0);
}

TEST(EnvironmentTest, EnvironmentValuesAreBoundedTextAndNeverEchoed) {
  for (const std::string& secret : {std::string("secret\xff"), std::string("secret\0x", 8)}) {
    const auto refused = check_environment({{"KEY", secret}});
    expect_refused(refused, "invalid_env_vars", "KEY");
    EXPECT_THAT(refused.error().message, ::testing::Not(HasSubstr("secret")));
  }
  EXPECT_TRUE(check_environment({{"A", std::string(limits::kMaxEnvBytes - 1, 'v')}}).has_value());
  expect_refused(check_environment({{"A", std::string(limits::kMaxEnvBytes, 'v')}}), "invalid_env_vars", "bytes");
}

TEST(EnvironmentTest, JsonMustBeAnObjectOfStrings) {
  EXPECT_EQ(read_environment(boost::json::parse(R"({"A":"1"})")).value().at("A"), "1");
  expect_refused(read_environment(boost::json::parse(R"({"A":1})")), "invalid_env_vars", "envVars");
  expect_refused(read_environment(boost::json::parse("[]")), "invalid_env_vars", "envVars");
  expect_refused(read_environment(boost::json::parse(R"({"LD_PRELOAD":"x"})")), "reserved_env_var", "LD_PRELOAD");
}

}  // namespace
}  // namespace infra
