#include "adapters/redis/job_key_text.h"

#include <gtest/gtest.h>

#include "core/job_result.h"

namespace infra {
namespace {

TEST(JobKeyTextTest, IsKnownByItsMembers) {
  EXPECT_EQ(kind_of(to_json(JobResult{})), JobKeyText::result);
  EXPECT_EQ(kind_of(R"({"status":"SUCCESS","stdout":"","durationMs":3})"), JobKeyText::result_of_reference_worker);
  EXPECT_EQ(kind_of(R"({"exitCode":0})"), JobKeyText::result_of_reference_worker);
  for (const auto* text : {"", "x", "[1]", "{}", R"({"status":"pending"})", R"({ "status" : "pending" })",
                           R"({"status":"SUCCESS")", R"({"exitCode":[0,0]})", R"({"exitCode":1e300,"durationUs":1})"})
    EXPECT_EQ(kind_of(text), JobKeyText::no_result) << text;
}

TEST(JobKeyTextTest, APointerSaysWhoseResultItIsAndWhere) {
  const std::string text = pointer_text({"r"}, "FAILED", "f");
  EXPECT_EQ(text, R"({"status":"FAILED","requestId":"r","functionId":"f","resultKey":"results/r.json"})");
  EXPECT_EQ(kind_of(text), JobKeyText::pointer);
}

}  // namespace
}  // namespace infra
