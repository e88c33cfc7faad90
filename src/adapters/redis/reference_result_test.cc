// What a reference worker of any age leaves out is filled in, and nothing is passed off as a result that can't be one.
#include "adapters/redis/reference_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace infra {
namespace {

using ::testing::HasSubstr;

const RequestId kId{"019a0000-0000-7000-8000-000000000001"};

JobResult parsed(std::string_view text) {
  return parse_job_result(text).value();
}

TEST(ReferenceResult, WhatIsMissingComesFromTheAcceptedRun) {
  const AcceptedRun run{.function = {"f"}};
  const auto complete = complete_reference_result(parsed(R"({"status":"SUCCESS","exitCode":0})"), kId, run);
  EXPECT_EQ(complete.request_id, kId);
  EXPECT_EQ(complete.function_id.value, "f");
  EXPECT_EQ(complete.worker_id.value, "reference-worker");
  EXPECT_EQ(complete.status, RunStatus::success);
}

TEST(ReferenceResult, WhatItSaysOfItselfStays) {
  const std::string text =
      R"({"requestId":"other","functionId":"g","workerId":"old-1","status":"FAILED","exitCode":2})";
  const auto unknown = complete_reference_result(parsed(text), kId, std::nullopt);
  EXPECT_EQ(unknown.request_id, kId);  // the channel's, not the text's
  EXPECT_EQ(unknown.function_id.value, "g");
  EXPECT_EQ(unknown.worker_id.value, "old-1");
  EXPECT_EQ(complete_reference_result(parsed(text), kId, AcceptedRun{.function = {"f"}}).function_id.value, "f");
  const auto odd = complete_reference_result(parsed(R"({"functionId":"a/b","exitCode":0})"), kId, std::nullopt);
  EXPECT_TRUE(odd.function_id.empty());
}

TEST(ReferenceResult, ARunWhoseInputItCannotHaveSeenIsAnError) {
  const AcceptedRun run{.function = {"f"}, .input_apart = true};
  const auto result = complete_reference_result(
      parsed(R"({"status":"SUCCESS","exitCode":0,"stdout":"got {}","stderr":"warned"})"), kId, run);
  EXPECT_EQ(result.status, RunStatus::error);
  EXPECT_NE(result.exit_code, 0);
  EXPECT_EQ(result.error_code, "input_not_seen");
  EXPECT_THAT(result.error_message, HasSubstr("Send it again"));
  EXPECT_EQ(result.out, "got {}");
  EXPECT_EQ(result.err, "warned\n" + result.error_message);
}

}  // namespace
}  // namespace infra
