// Results cross processes and versions: what we write must always be JSON, and what others write must be readable.
#include "core/job_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <boost/json.hpp>
#include <limits>

#include "core/error_codes.h"
#include "core/json_cursor.h"
#include "core/json_text.h"
#include "core/object_keys.h"
#include "core/text.h"

namespace infra {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const RequestId kRequest{"019a0000-0000-7000-8000-000000000001"};
const WallTime kAccepted{milliseconds{1795468142123}};

JobResult full_result() {
  JobResult r;
  r.request_id = kRequest;
  r.function_id = {"f-1"};
  r.worker_id = {"w-1"};
  r.status = RunStatus::failed;
  r.exit_code = -9;
  r.out = "line \"one\"\n\xe2\x82\xac\x01";
  r.err = "oops";
  r.value = R"({"a":[1.50,"x",null], "b":12345678901234567890123})";
  r.error_code = "out_of_memory";
  r.error_message = "It needs more than 128 MB.";
  r.duration_ms = 12.345;
  r.handler_ms = 3.1;
  r.peak_memory_bytes = 9'437'184'000;
  r.allocated_memory_mb = 128;
  r.cpu_usage_us = 2100;
  r.cold_start = true;
  r.network_rx = 1, r.network_tx = 2, r.disk_read = 3, r.disk_write = 4;
  r.output_files = {
      {.name = "plot.png", .size_bytes = 77, .key = "outputs/x/plot.png", .sha256 = std::string(64, 'a')}};
  r.llm_tokens = 42;
  r.optimization_tip = "Use less.";
  r.recommended_memory_mb = 64;
  r.estimated_savings = "$0.80/month";
  return r;
}

TEST(JobResultTest, EveryFieldSurvivesTheRoundTrip) {
  const std::string text = to_json(full_result());
  const auto read = parse_job_result(text);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(to_json(*read), text);
  EXPECT_EQ(read->request_id, kRequest);
  EXPECT_EQ(read->exit_code, -9);
  EXPECT_EQ(read->out, full_result().out);
  EXPECT_EQ(read->peak_memory_bytes, 9'437'184'000);
  EXPECT_EQ(read->handler_ms, 3.1);
  EXPECT_EQ(read->recommended_memory_mb, 64);
  EXPECT_EQ(read->output_files.at(0).key, "outputs/x/plot.png");
  EXPECT_EQ(read->output_files.at(0).sha256, std::string(64, 'a'));
}

TEST(JobResultTest, ADurationIsWholeForClientsAndExactForUs) {
  JobResult r = full_result();
  r.duration_ms = 12.3184;
  EXPECT_THAT(to_json(r), HasSubstr(R"("durationMs":13,"durationUs":12318,)"));
  EXPECT_EQ(parse_job_result(to_json(r))->duration_ms, 12.318);
  r.duration_ms = 2'000'000;
  EXPECT_THAT(to_json(r), HasSubstr(R"("durationMs":2000000,"durationUs":2000000000,)"));
  r.duration_ms = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(to_json(r), HasSubstr(R"("durationMs":0,"durationUs":0,)"));
}

TEST(JobResultTest, AnyBytesOfOutputGiveJson) {
  EXPECT_TRUE(rc::check([](const std::string& out, const std::string& err) {
    JobResult r;
    r.out = out;
    r.err = err;
    r.error_code = "crash";
    r.error_message = err;
    boost::system::error_code broken;
    const auto parsed = boost::json::parse(to_json(r), broken);
    RC_ASSERT(!broken);
    RC_ASSERT(std::string_view(parsed.at("stdout").get_string()) == replace_invalid_utf8(out));
  }));
}

TEST(JobResultTest, AnyBytesInAFileNameGiveJson) {
  JobResult r;
  r.output_files = {{"bad\xff.txt", 1, "k"}};
  boost::system::error_code broken;
  (void)boost::json::parse(to_json(r), broken);
  EXPECT_FALSE(broken) << broken.message();
}

TEST(JobResultTest, NumbersThatAreNoneGiveJson) {
  JobResult r;
  r.duration_ms = std::numeric_limits<double>::quiet_NaN();
  r.handler_ms = std::numeric_limits<double>::infinity();
  boost::system::error_code broken;
  (void)boost::json::parse(to_json(r), broken);
  EXPECT_FALSE(broken) << broken.message();
}

TEST(JobResultTest, ReadsADeeplyNestedValue) {
  JobResult r;
  r.value = std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']');
  const auto read = parse_job_result(to_json(r));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->value, r.value);
}

TEST(JobResultTest, KeepsAValueAsItWasWritten) {
  for (const char* value : {R"("\ud83d")", R"({"\udc00":1e99999999999})", "12345678901234567890123", "3.10"}) {
    JobResult r;
    r.value = value;
    EXPECT_EQ(parse_job_result(to_json(r))->value, value);
  }
  // The escape of a byte that was no text in a Python worker's output.
  const auto read = parse_job_result(R"({"status":"SUCCESS","stdout":"a\udce4b"})");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->out,
            "a\xef\xbf\xbd"
            "b");
}

TEST(JobResultTest, ReadsAReferenceWorkersResult) {
  const auto read = parse_job_result(
      R"({"requestId":"3f2504e0-4f89-41d3-9a0c-0305e82c3301","functionId":"f","status":"SUCCESS","exitCode":0,)"
      R"("stdout":"hi\n","stderr":"","durationMs":412,"peakMemoryBytes":null,"optimizationTip":null,"unknown":{}})");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->status, RunStatus::success);
  EXPECT_EQ(read->out, "hi\n");
  EXPECT_EQ(read->duration_ms, 412);
  EXPECT_THAT(to_json(*read), HasSubstr(R"("durationMs":412,"durationUs":412000,)"));
  EXPECT_EQ(read->value, "null");
  EXPECT_EQ(read->handler_ms, std::nullopt);
  EXPECT_EQ(read->recommended_memory_mb, std::nullopt);
  EXPECT_EQ(read->peak_memory_bytes, 0);
  EXPECT_FALSE(read->cold_start);
}

TEST(JobResultTest, WhatAReferenceWorkerTellsIsPassedOnAsItCame) {
  const auto read = parse_job_result(
      R"({"status":"SUCCESS","exitCode":0,"durationMs":250.5,"cpuUsage":0.123456,"peakMemoryBytes":1048576,)"
      R"("outputFiles":["plot.png","https://b.s3.eu-west-1.amazonaws.com/outputs/r/a%20b.txt"]})");
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->of_reference_worker);
  EXPECT_EQ(read->duration_ms, 250.5);
  EXPECT_EQ(profile_of(*read)->cpu_usage_us, 30926);  // of 250.5 ms
  const auto written = boost::json::parse(to_json(*read));
  EXPECT_EQ(written.at("cpuUsage"), 0.123456);
  EXPECT_EQ(written.at("outputFiles").at(0), "plot.png");
  EXPECT_EQ(written.at("outputFiles").at(1), "https://b.s3.eu-west-1.amazonaws.com/outputs/r/a%20b.txt");
  EXPECT_EQ(written.at("durationUs"), 250500);
  const auto kept = parse_job_result(to_json(*read));  // as we keep it
  EXPECT_FALSE(kept->of_reference_worker);
  EXPECT_EQ(to_json(*kept), to_json(*read));
}

TEST(JobResultTest, DurationsAndStatusesOfEveryAgeAreRead) {
  EXPECT_EQ(parse_job_result(R"({"status":"SUCCESS","duration_ms":7})")->duration_ms, 7);
  EXPECT_EQ(parse_job_result(R"({"status":"SUCCESS","durationMillis":8})")->duration_ms, 8);
  EXPECT_EQ(parse_job_result(R"({"status":"SUCCESS","durationMs":13,"durationUs":12318})")->duration_ms, 12.318);
  EXPECT_EQ(parse_job_result(R"({"exitCode":0})")->status, RunStatus::success);
  EXPECT_EQ(parse_job_result(R"({"status":"CRASHED","exitCode":139})")->status, RunStatus::failed);
}

TEST(JobResultTest, RefusesWhatIsNoResult) {
  for (const char* text :
       {"", "{", "[]", "null", "{}", R"({"status":"pending"})", R"({"status":7})", R"({"status":"SUCCESS"}x)"}) {
    const auto read = parse_job_result(text);
    ASSERT_FALSE(read.has_value()) << text;
    EXPECT_EQ(read.error().code, "invalid_result");
  }
}

TEST(JobResultTest, NumbersFromOutsideDoNotOverflow) {
  const auto read =
      parse_job_result(R"({"status":"ERROR","exitCode":1e300,"peakMemoryBytes":-1e300,"cpuUsage":99999999999999999999,)"
                       R"("allocatedMemoryMb":1e15,"recommendedMemoryMb":1e30,"durationUs":-1e300})");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->exit_code, 0);
  EXPECT_EQ(read->peak_memory_bytes, 0);
  EXPECT_EQ(read->allocated_memory_mb, 0);
  EXPECT_EQ(read->recommended_memory_mb, std::nullopt);
  EXPECT_EQ(read->duration_ms, 0);
  EXPECT_EQ(parse_job_result(R"({"status":"ERROR","durationMs":1e300})")->duration_ms, 1e12);
}

TEST(JobResultTest, PlatformErrorSaysWhoseFaultItWas) {
  Job job;
  job.request_id = kRequest;
  job.memory_mb = 256;
  const JobResult r = platform_error(job, {errors::worker_lost, "The worker went away."});
  EXPECT_EQ(r.status, RunStatus::error);
  EXPECT_NE(r.exit_code, 0);
  EXPECT_EQ(r.error_code, "worker_lost");
  EXPECT_EQ(r.error_message, "The worker went away.");
  EXPECT_EQ(r.allocated_memory_mb, 256);
}

TEST(LogTimestampTest, IsAFunctionOfTheIdAndDiffersWithinAMillisecond) {
  const UuidRandom one{std::byte{1}};
  const UuidRandom two{std::byte{2}};
  const RequestId first{make_uuid_v7(kAccepted, one)};
  const RequestId second{make_uuid_v7(kAccepted, two)};
  EXPECT_EQ(log_timestamp(first, WallTime{}), log_timestamp(first, kAccepted + milliseconds{5}));
  EXPECT_NE(log_timestamp(first, kAccepted), log_timestamp(second, kAccepted));
  EXPECT_THAT(log_timestamp(first, WallTime{}), StartsWith("2026-11-23T21:09:02.123"));
  EXPECT_EQ(log_timestamp(first, WallTime{}).size(), std::string("2026-11-23T21:09:02.123456789012Z").size());
  EXPECT_EQ(parse_iso8601(log_timestamp(first, WallTime{})), kAccepted);
}

TEST(LogTimestampTest, FallsBackForIdsWithoutATime) {
  EXPECT_EQ(parse_iso8601(log_timestamp({"3f2504e0-4f89-41d3-9a0c-0305e82c3301"}, kAccepted)), kAccepted);
}

TEST(LogRowTest, HoldsOutputAndTheErrorOnce) {
  JobResult r = full_result();
  r.out = "printed";
  EXPECT_EQ(make_log_row(r, kAccepted, kAccepted).message, "printed\noops\nIt needs more than 128 MB.");
  r.err = "Traceback\nIt needs more than 128 MB.\n";
  const LogRow row = make_log_row(r, kAccepted, kAccepted);
  EXPECT_EQ(row.message, "printed\nTraceback\nIt needs more than 128 MB.\n");
  EXPECT_EQ(row.expires_at, kAccepted + limits::kLogTtl);
  EXPECT_EQ(row.timestamp, log_timestamp(kRequest, kAccepted));
}

TEST(LogRowTest, HoldsWhatTheRunUsedIfItRan) {
  JobResult r = full_result();
  r.peak_memory_bytes = 9'437'184;
  r.cpu_usage_us = 2100;
  r.cold_start = true;
  r.error_code = "out_of_memory";
  const LogRow row = make_log_row(r, kAccepted, kAccepted);
  EXPECT_EQ(row.profile, (RunProfile{.peak_memory_bytes = 9'437'184, .cpu_usage_us = 2100, .cold_start = true}));
  EXPECT_EQ(row.error_code, "out_of_memory");
  EXPECT_EQ(row.memory_mb, 9);
  EXPECT_EQ(row.allocated_memory_mb, 128);
  r.peak_memory_bytes = 0;
  const LogRow idle = make_log_row(r, kAccepted, kAccepted);
  EXPECT_FALSE(idle.profile);
  EXPECT_EQ(idle.memory_mb, 0);
  EXPECT_EQ(idle.allocated_memory_mb, 128);
  r.allocated_memory_mb = 0;  // a reference worker may leave it out
  EXPECT_EQ(make_log_row(r, kAccepted, kAccepted).allocated_memory_mb, std::nullopt);
}

TEST(LogRowTest, KnowsWhichStartsOutputFilesAreTheRuns) {
  JobResult r = full_result();
  for (int attempt = 1; attempt <= limits::kMaxReceives; ++attempt) {
    r.output_files = {{.name = "größe", .key = output_key(r.function_id, r.request_id, "größe", attempt)}};
    EXPECT_EQ(make_log_row(r, kAccepted, kAccepted).output_attempt, attempt);
    EXPECT_EQ(output_attempt_of(parse_job_result(to_json(r)).value()), attempt);
  }
  r.output_files.front().key = "elsewhere/a";
  EXPECT_EQ(output_attempt_of(r), std::nullopt);
  r.output_files = {{.name = "a", .key = {}, .name_only = true}};
  EXPECT_EQ(output_attempt_of(r), 0) << "a reference worker's";
  r.output_files.clear();
  EXPECT_EQ(output_attempt_of(r), 0);
}

TEST(LogRowTest, APeakIsRoundedToTheNearestMegabyte) {
  constexpr auto kMb = static_cast<std::int64_t>(limits::kMiB);
  EXPECT_EQ(peak_memory_mb(9 * kMb), 9);
  EXPECT_EQ(peak_memory_mb(9 * kMb + kMb / 2 - 1), 9);
  EXPECT_EQ(peak_memory_mb(9 * kMb + kMb / 2), 10);
  EXPECT_EQ(peak_memory_mb(1), 0);
  EXPECT_EQ(peak_memory_mb(-5 * kMb), 0);
  EXPECT_EQ(peak_memory_mb(std::numeric_limits<std::int64_t>::max()), std::numeric_limits<int>::max());
}

TEST(LogRowTest, CutsLongOutputAtACharacterAndSaysSo) {
  JobResult r = full_result();
  r.err.clear();
  r.error_message.clear();
  r.out = "a";
  while (r.out.size() < limits::kMaxLogMessageBytes + 10) r.out += "\xe2\x82\xac";
  const std::string message = make_log_row(r, kAccepted, kAccepted).message;
  EXPECT_LE(message.size(), limits::kMaxLogMessageBytes + 100);
  EXPECT_TRUE(is_valid_utf8(message));
  EXPECT_THAT(message, EndsWith("bytes are kept]"));
  EXPECT_THAT(message, HasSubstr(std::to_string(r.out.size())));

  r.out = std::string(limits::kMaxLogMessageBytes, 'x');
  EXPECT_EQ(make_log_row(r, kAccepted, kAccepted).message, r.out);
}

TEST(TextTest, CutsBeforeACharacterThatWouldCross) {
  EXPECT_EQ(cut_utf8("a\xe2\x82\xac", 4), "a\xe2\x82\xac");
  for (const std::size_t bytes : {1U, 2U, 3U}) EXPECT_EQ(cut_utf8("a\xe2\x82\xac", bytes), "a");
  EXPECT_EQ(cut_utf8("abc", 0), "");
}

TEST(TextTest, ReplacesOnlyWhatIsInvalid) {
  EXPECT_EQ(replace_invalid_utf8("a\xff\xe2\x82\xac\xe2\x82"), "a\xef\xbf\xbd\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_TRUE(rc::check([](const std::string& bytes) { RC_ASSERT(is_valid_utf8(replace_invalid_utf8(bytes))); }));
}

TEST(TextTest, NumbersAreWrittenShort) {
  EXPECT_EQ(json_number(3.1), "3.1");
  EXPECT_EQ(json_number(12), "12");
  EXPECT_EQ(json_number(0.0049), "0.005");
  EXPECT_EQ(json_number(0), "0");
  EXPECT_EQ(json_number(-1e306), "-1e+306");
}

TEST(JobResultTest, SaysWhichTraceItIsIn) {
  Job job;
  EXPECT_EQ(platform_error(job, {errors::internal, "m"}).trace_id, "");
  EXPECT_NE(to_json(JobResult{}).find(R"("traceId":null)"), std::string::npos);
  job.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const JobResult result = platform_error(job, {errors::internal, "m"});
  EXPECT_EQ(result.trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(parse_job_result(to_json(result))->trace_id, result.trace_id);
  EXPECT_EQ(parse_job_result(R"({"status":"SUCCESS","traceId":"<script>"})")->trace_id, "");
  EXPECT_EQ(make_log_row(result, {}, {}).trace_id, result.trace_id);
}

}  // namespace
}  // namespace infra
