// The rules for a function's fields, at their edges, and that each refusal names its field.
#include "core/function.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text.h"

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

TEST(FunctionTest, RuntimesRoundTripAndOthersAreRefused) {
  for (const Runtime runtime : {Runtime::python, Runtime::nodejs, Runtime::cpp, Runtime::go}) {
    EXPECT_EQ(parse_runtime(to_string(runtime)), runtime);
  }
  for (const char* text : {"", "Python", "ruby", "python "})
    expect_refused(parse_runtime(text), "invalid_runtime", "runtime");
}

TEST(FunctionTest, MemoryIsAWholeNumberInItsRange) {
  EXPECT_EQ(parse_memory_mb("128"), 128);
  EXPECT_EQ(parse_memory_mb("10240"), 10240);
  for (const char* text :
       {"", "127", "10241", "-128", "+128", "128.0", "1e3", " 256", "256 ", "0x100", "256MB", "99999999999999999999"}) {
    expect_refused(parse_memory_mb(text), "invalid_memory", "memoryMb");
  }
}

TEST(FunctionTest, NetworkNamesAreReadAsTheyAreWritten) {
  for (const Network network : {Network::none, Network::egress}) EXPECT_EQ(parse_network(to_string(network)), network);
  for (const char* text : {"", "None", "all", "egress "})
    expect_refused(parse_network(text), "invalid_network", "network");
}

TEST(FunctionTest, KeepWarmAndMaxConcurrencyAreWholeNumbersInTheirRanges) {
  EXPECT_EQ(parse_keep_warm("0"), 0);
  EXPECT_EQ(parse_keep_warm("16"), 16);
  for (const char* text : {"", "17", "-1", "1.0", "two"})
    expect_refused(parse_keep_warm(text), "invalid_keep_warm", "keepWarm");
  EXPECT_EQ(parse_max_concurrency("0"), 0);
  EXPECT_EQ(parse_max_concurrency("1"), 1);
  EXPECT_EQ(parse_max_concurrency("1000"), 1000);
  for (const char* text : {"", "1001", "-1", "1e2", "none"})
    expect_refused(parse_max_concurrency(text), "invalid_max_concurrency", "maxConcurrency");
}

TEST(FunctionTest, TimeoutIsAWholeNumberInItsRange) {
  EXPECT_EQ(parse_timeout_ms("100"), milliseconds{100});
  EXPECT_EQ(parse_timeout_ms("900000"), milliseconds{900000});
  for (const char* text : {"", "99", "900001", "1.5", "abc"}) {
    expect_refused(parse_timeout_ms(text), "invalid_timeout", "timeoutMs");
  }
}

TEST(FunctionTest, NamesAndDescriptionsAreBoundedText) {
  EXPECT_EQ(check_name(std::string(256, 'n')), std::string(256, 'n'));
  EXPECT_EQ(check_name("W\xc3\xb6rter z\xc3\xa4hlen"), "W\xc3\xb6rter z\xc3\xa4hlen");
  for (const std::string& text : {std::string(), std::string(257, 'n'), std::string("a\nb"), std::string("a\0b", 3),
                                  std::string("\xff"), std::string("\x7f")}) {
    expect_refused(check_name(text), "invalid_name", "name");
  }
  EXPECT_TRUE(check_description("").has_value());
  EXPECT_TRUE(check_description("two\r\n\tlines").has_value());
  EXPECT_TRUE(check_description(std::string(4096, 'd')).has_value());
  for (const std::string& text : {std::string(4097, 'd'), std::string("\x1b[31m"), std::string("\xc3")}) {
    expect_refused(check_description(text), "invalid_description", "description");
  }
}

TEST(FunctionTest, EnvironmentNamesAreWellFormedAndNotThePlatforms) {
  EXPECT_TRUE(check_environment({{"_A1", ""}, {"b", "x=y\n"}}).has_value());
  for (const char* name : {"", "1A", "A-B", "A B", "A=B", "\xc3\x84"}) {
    expect_refused(check_environment({{name, "v"}}), "invalid_env_vars", "envVars");
  }
  for (const char* name :
       {"LD_PRELOAD", "LD_X", "PATH", "PYTHONPATH", "NODE_OPTIONS", "JOB_ID", "FUNCTION_ID", "LLM_MODEL", "MEMORY_MB",
        "AI_ENDPOINT", "OUTPUT_DIR", "PAYLOAD", "PAYLOAD_FILE", "INFRA_API_KEY"}) {
    expect_refused(check_environment({{name, "v"}}), "reserved_env_var", name);
  }
}

TEST(FunctionTest, TheThreadPoolOfNodeIsBoundedAndTheirsAlone) {
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

TEST(FunctionTest, EnvironmentValuesAreBoundedTextAndNeverEchoed) {
  for (const std::string& secret : {std::string("secret\xff"), std::string("secret\0x", 8)}) {
    const auto refused = check_environment({{"KEY", secret}});
    expect_refused(refused, "invalid_env_vars", "KEY");
    EXPECT_THAT(refused.error().message, ::testing::Not(HasSubstr("secret")));
  }
  EXPECT_TRUE(check_environment({{"A", std::string(limits::kMaxEnvBytes - 1, 'v')}}).has_value());
  expect_refused(check_environment({{"A", std::string(limits::kMaxEnvBytes, 'v')}}), "invalid_env_vars", "bytes");
}

TEST(FunctionTest, ChangeIsEmptyUntilAFieldIsSet) {
  EXPECT_TRUE(FunctionChange{}.empty());
  FunctionChange described;
  described.description = "";
  EXPECT_FALSE(described.empty());
  FunctionChange cleared;
  cleared.env = Environment{};
  EXPECT_FALSE(cleared.empty());
}

// Unicode 15, table 3-7: the last well-formed and the first ill-formed sequence at every boundary.
TEST(FunctionTest, Utf8IsExactlyUnicodesTable) {
  for (const std::string_view good : {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                                      "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xe2\x82\xac!"}) {
    EXPECT_TRUE(is_valid_utf8(good)) << good;
  }
  for (const std::string_view bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x7f", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82", "\xe2\x82(",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x90\x80", "\xff", "ok\xbf"}) {
    EXPECT_FALSE(is_valid_utf8(bad));
  }
}

}  // namespace
}  // namespace infra
