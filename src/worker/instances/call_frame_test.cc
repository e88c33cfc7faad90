// A runner's answer comes from a process that user code shares: what is read out of it must be valid whatever it says.
#include "worker/instances/call_frame.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "core/json_cursor.h"

namespace infra::worker {
namespace {

Result<Answer> read_answer(std::string_view text, const RequestId& request) {
  FrameReader reader(kAnswerFrame);
  if (reader.take(framed(text)) != FrameReader::State::whole) return fail(reader.refusal());
  return parse_answer(reader.take_frame(), request);
}

// The answer whose members are given in braces, to the call "r".
Result<Answer> read(std::string members) {
  return read_answer(R"({"requestId":"r",)" + members.erase(0, 1), {"r"});
}

TEST(CallFrameTest, TheValueIsTakenAsItWasWritten) {
  const auto answer = read(R"({"ok":true,"a":{"value":1},"b":"\",\"value\":2","value": [3.10, {"value":"]"}] ,"c":1})");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->value, R"([3.10, {"value":"]"}])");
  EXPECT_FALSE(answer->text.has_value());
  EXPECT_EQ(read(R"({"value":"a\"b","ok":true})")->text, "a\"b");
  EXPECT_EQ(read(R"({"value":123456789012345678901234567890,"ok":true})")->value, "123456789012345678901234567890");
}

TEST(CallFrameTest, WhatIsJsonByItsGrammarIsAValue) {
  const std::string deep = std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']');
  for (const std::string& value : {std::string(R"({"\udc00":1e99999999999})"), deep})
    EXPECT_EQ(read(R"({"ok":true,"value":)" + value + "}")->value, value);
  const auto answer = read(R"({"ok":true,"value":"a\ud83d"})");
  EXPECT_EQ(answer->value, R"("a\ud83d")");
  EXPECT_EQ(answer->text, "a\xef\xbf\xbd");
  const auto deeper = read(R"({"ok":true,"value":[)" + deep + "]}");
  ASSERT_FALSE(deeper.has_value());
  EXPECT_EQ(deeper.error().code, "result_not_json");
  EXPECT_NE(deeper.error().message.find("499 levels deep"), std::string::npos);
}

TEST(CallFrameTest, WhatIsNoAnswerIsRefused) {
  for (const auto* text :
       {"{", R"({"ok":true})", R"({"ok":false})", R"({"ok":false,"code":"made_up"})", R"({"ok":1,"value":2})",
        R"({"ok":true,"plain":true})", R"({"ok":true,"value":1,"value":2})", R"({"ok":true,"value":1}})"}) {
    const auto answer = read(text);
    ASSERT_FALSE(answer.has_value()) << text;
    EXPECT_EQ(answer.error().code, "runner_broken") << text;
  }
}

// Each would be a million values if it were read as one.
TEST(CallFrameTest, WhatStandsWhereAWordIsExpectedIsNotBuilt) {
  std::string values = "[0";
  for (int i = 0; i < 1'000'000; ++i) values += ",0";
  values += ']';
  for (const auto* name : {"requestId", "handlerMs", "left", "code", "message", "exitCode", "reusable", "other"}) {
    const std::string text = fmt::format(R"({{"ok":false,"code":"exited","{}":{}}})", name, values);
    const auto answer = name == std::string_view("requestId") ? read_answer(text, {"r"}) : read(text);
    EXPECT_TRUE(!answer || answer->message.empty()) << name;
  }
}

TEST(CallFrameTest, TheValuesTextIsTheFramesOwn) {
  FrameReader reader(kAnswerFrame);
  ASSERT_EQ(reader.take(framed(R"({"requestId":"r","ok":true,"value":[)" +
                               std::string(100'000, '0').replace(0, 1, "1") + "]}")),
            FrameReader::State::whole);
  Frame frame = reader.take_frame();
  const char* const where = frame.text.data();
  const auto answer = parse_answer(std::move(frame), {"r"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->value.data(), where);
}

TEST(CallFrameTest, AnAnswerToAnotherCallIsRefused) {
  EXPECT_TRUE(read_answer(R"({"requestId":"r","ok":true,"value":1})", {"r"}).has_value());
  for (const auto* text : {"", "[]", R"({"ok":true,"value":1})", R"({"requestId":"q","ok":true,"value":1})",
                           R"({"requestId":7,"ok":true,"value":1})", R"({"ok":true,"value":{"requestId":"r"}})"}) {
    const auto answer = read_answer(text, {"r"});
    ASSERT_FALSE(answer.has_value()) << text;
    EXPECT_EQ(answer.error().code, "runner_broken") << text;
  }
}

TEST(CallFrameTest, WhatTheRunnerSaysWasLeft) {
  EXPECT_EQ(read(R"({"ok":true,"value":1})")->left, Leftover::nothing);
  EXPECT_EQ(read(R"({"ok":true,"left":"threads","value":1})")->left, Leftover::threads);
  EXPECT_EQ(read(R"({"ok":true,"left":["all"],"value":1})")->left, Leftover::nothing);
  EXPECT_EQ(read(R"({"ok":false,"code":"exited","left":"threads"})")->left, Leftover::threads);
}

TEST(CallFrameTest, FailuresAndScripts) {
  const auto failure = read(R"({"ok":false,"code":"exited","message":"m","handlerMs":-1,"reusable":true})");
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->message, "m");
  EXPECT_TRUE(failure->reusable);
  EXPECT_FALSE(failure->handler_ms.has_value());
  EXPECT_EQ(read(R"({"ok":true,"plain":true,"exitCode":137})")->exit_code, 137);
  EXPECT_TRUE(read(R"({"ok":true,"plain":true,"exitCode":0})")->reusable);
  EXPECT_FALSE(read(R"({"ok":true,"plain":true,"exitCode":0,"reusable":false})")->reusable);
  EXPECT_TRUE(read(R"({"ok":true,"value":1})")->reusable);
  EXPECT_FALSE(read(R"({"ok":true,"reusable":false,"value":1})")->reusable);
}

TEST(CallFrameTest, LoadingHasNoRequest) {
  Job job;
  job.function_id = {"f"};
  job.env = {{"A", "b"}};
  const auto call =
      boost::json::parse(to_json(CallFrame{.job = job, .model_id = "m", .deadline = {}, .only_load = true}))
          .as_object();
  EXPECT_TRUE(call.at("load").as_bool());
  const auto& env = call.at("env").as_object();
  EXPECT_EQ(env.at("A").as_string(), "b");
  EXPECT_EQ(env.at("FUNCTION_ID").as_string(), "f");
  EXPECT_FALSE(env.contains("JOB_ID"));
  EXPECT_FALSE(env.contains("PAYLOAD"));
}

TEST(CallFrameTest, AProgramIsStartedWithWhatItsCallsShare) {
  Job job;
  job.request_id = {"r"};
  job.function_id = {"f"};
  job.env = {{"GOMEMLIMIT", "\"64MiB\"\n"}};
  const auto start =
      boost::json::parse(to_start_json(CallFrame{.job = job, .model_id = "m", .deadline = {}, .ai_port = 81}))
          .as_object();
  EXPECT_EQ(start.size(), 1U);
  const auto& env = start.at("env").as_object();
  EXPECT_EQ(env.at("GOMEMLIMIT").as_string(), "\"64MiB\"\n");
  EXPECT_EQ(env.at("FUNCTION_ID").as_string(), "f");
  EXPECT_EQ(env.at("AI_ENDPOINT").as_string(), "http://127.0.0.1:81");
  EXPECT_FALSE(env.contains("JOB_ID"));
  EXPECT_FALSE(env.contains("PAYLOAD"));
}

TEST(CallFrameTest, ACallIsJsonAndThePlatformsNamesWin) {
  Job job;
  job.request_id = {"r"};
  job.env = {{"JOB_ID", "mine"}, {"A", "\"\n"}};
  job.input = R"({"x":1.0})";
  const auto call =
      boost::json::parse(to_json(CallFrame{.job = job, .model_id = "m", .deadline = {}, .ai_port = 81})).as_object();
  const auto& env = call.at("env").as_object();
  EXPECT_FALSE(call.contains("load"));
  EXPECT_EQ(env.at("JOB_ID").as_string(), "r");
  EXPECT_EQ(env.at("A").as_string(), "\"\n");
  EXPECT_EQ(env.at("AI_ENDPOINT").as_string(), "http://127.0.0.1:81");
  EXPECT_EQ(env.at("PAYLOAD").as_string(), job.input);
  job.input = '"' + std::string(200'000, 'x') + '"';
  EXPECT_EQ(to_json(CallFrame{.job = job, .model_id = "m", .deadline = {}, .ai_port = 0}).find("PAYLOAD"),
            std::string::npos);
}

TEST(CallFrameTest, ACallSaysWhichTraceItIsIn) {
  Job job;
  job.request_id = {"r"};
  job.env = {{"TRACEPARENT", "mine"}};
  const auto frame = [&job](bool only_load) {
    return boost::json::parse(
               to_json(CallFrame{.job = job, .model_id = "m", .deadline = {}, .ai_port = 0, .only_load = only_load}))
        .as_object();
  };
  EXPECT_FALSE(frame(false).contains("traceparent")) << "a job of none";
  EXPECT_EQ(frame(false).at("env").at("TRACEPARENT").as_string(), "mine");
  job.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_EQ(frame(false).at("traceparent").as_string(), job.traceparent);
  EXPECT_EQ(frame(false).at("env").at("TRACEPARENT").as_string(), job.traceparent);
  EXPECT_FALSE(frame(true).contains("traceparent"));
}

}  // namespace
}  // namespace infra::worker
