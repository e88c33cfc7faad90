// The message is a contract with programs that are not ours: what they write must be read, what they read must be
// there.
#include "adapters/aws/sqs/job_message.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <utility>
#include <vector>

#include "core/json_cursor.h"
#include "core/object_keys.h"

namespace infra::aws {
namespace {

namespace json = boost::json;

constexpr WallTime kNow{milliseconds{1'790'000'000'000}};

Job make_job() {
  Job job;
  job.request_id = {"018bcfe5-687b-7abc-8def-0123456789ab"};
  job.function_id = {"fn-1"};
  job.runtime = Runtime::nodejs;
  job.memory_mb = 512;
  job.timeout = milliseconds{1500};
  job.network = Network::egress;
  job.keep_warm = 2;
  job.max_concurrency = 30;
  job.code = {"functions/fn-1/1.zip", std::string(64, 'a')};
  job.input = R"({"text":"Grüße", "big": 12345678901234567890123, "f":1.0})";
  job.model_id = "llama3:8b";
  job.env = {{"TOKEN", "a=b\n\"c\""}};
  job.mode = RunMode::async;
  job.reply_to = "result-of:c1";
  job.accepted_at = WallTime{milliseconds{1'700'000'000'123}};
  job.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  return job;
}

TEST(JobMessage, HasTheFieldsThatAReferenceWorkerReads) {
  const auto body = json::parse(write_job_message(make_job(), "code-bucket")).as_object();
  EXPECT_EQ(body.at("requestId"), "018bcfe5-687b-7abc-8def-0123456789ab");
  EXPECT_EQ(body.at("functionId"), "fn-1");
  EXPECT_EQ(body.at("runtime"), "nodejs");
  EXPECT_EQ(body.at("memoryMb"), 512);
  EXPECT_EQ(body.at("s3Bucket"), "code-bucket");
  EXPECT_EQ(body.at("s3Key"), "functions/fn-1/1.zip");
  EXPECT_EQ(body.at("timeoutMs"), 1500);
  EXPECT_EQ(body.at("input").at("text"), "Grüße");
  EXPECT_EQ(body.at("modelId"), "llama3:8b");
  EXPECT_EQ(body.at("envVars").at("TOKEN"), "a=b\n\"c\"");
  EXPECT_EQ(body.at("replyTo"), "result-of:c1");
  EXPECT_EQ(std::string(body.at("codeSha256").as_string()), std::string(64, 'a'));
  EXPECT_EQ(body.at("attempt"), 1);
  EXPECT_EQ(body.at("acceptedAt"), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(body.at("async"), true);
  EXPECT_FALSE(body.contains("inputS3Key"));
}

TEST(JobMessage, OmitsWhatIsEmptySoThatDefaultsHold) {
  Job job = make_job();
  job.model_id.clear();
  job.reply_to.clear();
  job.code.sha256.clear();
  job.traceparent.clear();
  job.mode = RunMode::sync;
  const auto body = json::parse(write_job_message(job, "b")).as_object();
  for (const char* name : {"modelId", "replyTo", "codeSha256", "traceparent", "async"})
    EXPECT_FALSE(body.contains(name)) << name;
}

TEST(JobMessage, ComesBackAsItWasWithItsInputVerbatim) {
  const Job sent = make_job();
  const auto read = read_job_message(write_job_message(sent, "b"), kNow);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->job, sent);
  EXPECT_TRUE(read->input_key.empty());
}

TEST(JobMessage, NamesTheObjectInPlaceOfABigInput) {
  Job job = make_job();
  const std::string key = payload_key(job.request_id);
  EXPECT_EQ(key, "payloads/018bcfe5-687b-7abc-8def-0123456789ab.json");
  const std::string body = write_job_message(job, "b", key);
  EXPECT_FALSE(json::parse(body).as_object().contains("input"));
  const auto read = read_job_message(body, kNow);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->input_key, key);
  EXPECT_EQ(read->job.input, "{}");
}

TEST(JobMessage, AReferenceControllersMessageIsAJob) {
  const auto read = read_job_message(
      R"({"requestId":"9b2f0c1e-3a4d-4e5f-8a6b-7c8d9e0f1a2b","functionId":"f","s3Key":"functions/f/v1.zip",
          "input":{"x": 1.50},"envVars":"{\"A\":\"b\",\"N\":3,\"LD_PRELOAD\":\"x\"}"})",
      kNow);
  ASSERT_TRUE(read) << read.error().message;
  const Job& job = read->job;
  EXPECT_EQ(job.runtime, Runtime::python);
  EXPECT_EQ(job.memory_mb, limits::kDefaultMemoryMb);
  EXPECT_EQ(job.timeout, limits::kDefaultTimeout);
  EXPECT_EQ(job.network, Network::none);
  EXPECT_EQ(job.keep_warm, 0);
  EXPECT_EQ(job.max_concurrency, 0);
  EXPECT_EQ(job.code, (CodeRef{"functions/f/v1.zip", ""}));
  EXPECT_EQ(job.input, R"({"x": 1.50})");
  EXPECT_EQ(job.model_id, "");
  EXPECT_EQ(job.env, (Environment{{"A", "b"}, {"N", "3"}}));
  EXPECT_EQ(job.mode, RunMode::sync);
  EXPECT_EQ(job.reply_to, "");
  EXPECT_EQ(job.accepted_at, kNow);
}

TEST(JobMessage, OddValuesGetTheirNearestOrDefault) {
  const auto read = [](std::string_view more) {
    return read_job_message(fmt::format(R"({{"requestId":"r","functionId":"f","s3Key":"k",{}}})", more), kNow);
  };
  EXPECT_EQ(read(R"("memoryMb":64)")->job.memory_mb, limits::kMinMemoryMb);
  EXPECT_EQ(read(R"("memoryMb":1e300)")->job.memory_mb, limits::kMaxMemoryMb);
  EXPECT_EQ(read(R"("memoryMb":null)")->job.memory_mb, limits::kDefaultMemoryMb);
  EXPECT_EQ(read(R"("timeoutMs":5)")->job.timeout, limits::kMinTimeout);
  EXPECT_EQ(read(R"("timeoutMs":"soon")")->job.timeout, limits::kDefaultTimeout);
  EXPECT_EQ(read(R"("network":"all")")->job.network, Network::none);
  EXPECT_EQ(read(R"("keepWarm":99)")->job.keep_warm, limits::kMaxKeepWarm);
  EXPECT_EQ(read(R"("maxConcurrency":-1)")->job.max_concurrency, 0);
  EXPECT_EQ(read(R"("maxConcurrency":1e9)")->job.max_concurrency, limits::kMaxConcurrency);
  EXPECT_EQ(read(R"("modelId":null,"envVars":null)")->job.env, Environment{});
  EXPECT_EQ(read(R"("envVars":"no json")")->job.env, Environment{});
  EXPECT_EQ(read(R"("input":null)")->job.input, "null");
  EXPECT_EQ(read(R"("acceptedAt":"yesterday")")->job.accepted_at, kNow);
}

TEST(JobMessage, WhatIsJsonByItsGrammarTravelsAsItWasWritten) {
  for (const std::string& input : {std::string(R"({"\udc00":"\ud83d","n":1e99999999999})"),
                                   std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']')}) {
    Job job = make_job();
    job.input = input;
    EXPECT_EQ(read_job_message(write_job_message(job, "b"), kNow)->job.input, input);
  }
  // Of a reference controller, whose strings may end within a character.
  const auto read = read_job_message(
      R"({"requestId":"r","functionId":"f","s3Key":"k","modelId":"m\ud83d","timeoutMs":1e99999999999,"envVars":"{\"A\":\"\\ud83d\"}"})",
      kNow);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->job.model_id, "m\xef\xbf\xbd");
  EXPECT_EQ(read->job.timeout, limits::kDefaultTimeout);
  EXPECT_EQ(read->job.env, (Environment{{"A", "\xef\xbf\xbd"}}));
}

TEST(JobMessage, AnIdOfVersion7SaysWhenItsJobWasAccepted) {
  const auto read =
      read_job_message(R"({"requestId":"018bcfe5-687b-7abc-8def-0123456789ab","functionId":"f","s3Key":"k"})", kNow);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->job.accepted_at, *uuid_v7_time("018bcfe5-687b-7abc-8def-0123456789ab"));
}

TEST(JobMessage, RefusesWhatSaysNoRequest) {
  const std::string deep = R"({"input":)" + std::string(20'000, '[') + std::string(20'000, ']') + "}";
  for (const std::string& body :
       {std::string(), std::string("hello"), std::string("[]"), std::string(R"({"functionId":"f","s3Key":"k"})"),
        std::string(R"({"requestId":7,"functionId":"f","s3Key":"k"})"),
        std::string(R"({"requestId":"../r","functionId":"f","s3Key":"k"})"), deep}) {
    const auto read = read_job_message(body, kNow);
    ASSERT_FALSE(read) << body.substr(0, 80);
    EXPECT_EQ(read.error().kind, ErrorKind::invalid);
    EXPECT_EQ(read.error().code, "invalid_message");
  }
}

TEST(JobMessage, WhatNobodyCanRunSaysWhyAndWhoIsToBeTold) {
  const std::string deep = R"("s3Key":"k","functionId":"f","input":)" + std::string(600, '[') + std::string(600, ']');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("functionId":null,"s3Key":"k")", "invalid_message"},
      {R"("functionId":"a/b","s3Key":"k")", "invalid_message"},
      {R"("functionId":"f")", "function_has_no_code"},
      {R"("functionId":"f","s3Key":"")", "function_has_no_code"},
      {R"("functionId":"f","s3Key":["k"])", "function_has_no_code"},
      {R"("functionId":"f","s3Key":"k","runtime":"cobol")", "invalid_runtime"},
      {R"("functionId":"f","s3Key":"k","inputS3Key":"results/other.json")", "invalid_message"},
      {R"("functionId":"f","s3Key":"k","inputS3Key":null)", "invalid_message"},
      {R"("functionId":"f","s3Key":"k","input":1,"input":2)", "invalid_message"},
      {deep, "invalid_message"}};
  for (const auto& [more, code] : cases) {
    const auto read =
        read_job_message(fmt::format(R"({{"requestId":"r","replyTo":"result-of:c","async":true,{}}})", more), kNow);
    ASSERT_TRUE(read) << more;
    ASSERT_TRUE(read->cannot_run) << more;
    EXPECT_EQ(read->cannot_run->code, code) << more;
    EXPECT_FALSE(read->cannot_run->message.empty());
    EXPECT_EQ(read->input_key, "") << more << ": that object would be removed with the message";
    EXPECT_EQ(read->job.request_id.value, "r") << more;
    EXPECT_EQ(read->job.reply_to, "result-of:c") << more;
    EXPECT_EQ(read->job.mode, RunMode::async) << more;
    const bool names_function = more.find(R"("functionId":"f")") != std::string::npos;
    EXPECT_EQ(read->job.function_id.value, names_function ? "f" : "") << more;
  }
}

TEST(JobMessage, WhatAReferenceWorkerWouldRunIsRun) {
  const auto read = read_job_message(
      R"({"requestId":"r","s3Key":"k","memoryMb":"256","timeoutMs":"5000","priority":3,"envVars":
          {"S":"s","I":3,"F":1.5,"T":true,"N":null,"L":[1,"a"],"LD_PRELOAD":"x"}})",
      kNow);
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->cannot_run);
  EXPECT_EQ(read->job.function_id.value, "unknown");
  EXPECT_EQ(read->job.memory_mb, 256);
  EXPECT_EQ(read->job.timeout, milliseconds{5000});
  EXPECT_EQ(read->job.env,
            (Environment{{"S", "s"}, {"I", "3"}, {"F", "1.5"}, {"T", "True"}, {"N", "None"}, {"L", R"([1,"a"])"}}));
}

TEST(JobMessage, CharactersThatSqsRefusesTravelAsEscapes) {
  Job job = make_job();
  job.input = "{\"s\":\"a\\\\\xEF\xBF\xBE\xEF\xBF\xBF\xEF\xBF\xBD \x7F \xF0\x9F\x98\x80 \xE2\x82\xAC\"}";
  job.env = {{"BELL", "\x01\xEF\xBF\xBF"}};
  const std::string body = write_job_message(job, "b");
  for (const char* refused : {"\x01", "\xEF\xBF\xBE", "\xEF\xBF\xBF"}) EXPECT_EQ(body.find(refused), std::string::npos);
  const auto read = read_job_message(body, kNow);
  ASSERT_TRUE(read);
  EXPECT_EQ(json::parse(read->job.input), json::parse(job.input));
  EXPECT_EQ(read->job.input, "{\"s\":\"a\\\\\\ufffe\\uffff\xEF\xBF\xBD \x7F \xF0\x9F\x98\x80 \xE2\x82\xAC\"}");
  EXPECT_EQ(read->job.env, job.env);
}

}  // namespace
}  // namespace infra::aws
