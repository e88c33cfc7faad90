// POST /run and GET /status: what is asked of a worker, what its result looks like, and what a client gets wrong.
#include <gmock/gmock.h>

#include "core/error_codes.h"
#include "http/test_api.h"

namespace infra::http {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

class Runs : public ::testing::Test {
 protected:
  Runs() { api_.add_function("f"); }
  Answer post(std::string body, std::vector<net::Header> headers = {}) {
    return api_.send(json_request("POST", "/api/run", std::move(body), std::move(headers)));
  }
  static std::vector<std::string> names(const boost::json::value& object) {
    std::vector<std::string> names;
    for (const auto& [name, value] : object.as_object()) names.emplace_back(name);
    return names;
  }

  TestApi api_;
};

TEST_F(Runs, AResultHasTheContractsFields) {
  const auto answer = api_.run("f", R"({"n": 1})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto result = answer.json();
  EXPECT_THAT(names(result), IsSupersetOf({"requestId",
                                           "functionId",
                                           "workerId",
                                           "status",
                                           "exitCode",
                                           "stdout",
                                           "stderr",
                                           "result",
                                           "durationMs",
                                           "durationUs",
                                           "handlerDurationMs",
                                           "peakMemoryBytes",
                                           "allocatedMemoryMb",
                                           "cpuUsage",
                                           "coldStart",
                                           "networkRx",
                                           "networkTx",
                                           "diskRead",
                                           "diskWrite",
                                           "outputFiles",
                                           "llm_token_count",
                                           "optimizationTip",
                                           "recommendedMemoryMb",
                                           "estimatedSavings"}));
  EXPECT_EQ(answer.text("requestId"), answer.header("x-request-id"));
  EXPECT_EQ(answer.text("functionId"), "f");
  EXPECT_EQ(answer.text("status"), "SUCCESS");
  EXPECT_EQ(result.at("durationMs"), 13);
  EXPECT_EQ(result.at("durationUs"), 12'500);
  EXPECT_EQ(result.at("handlerDurationMs"), 10.25);
}

TEST_F(Runs, AJobIsInTheTraceOfItsRequest) {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const auto run = [&](const std::string& parent) {
    EXPECT_EQ(api_.run("f", "{}", {{"traceparent", parent}}).status, 200);
    return parse_traceparent(api_.worker.jobs.back().traceparent).value();
  };
  const auto caller = parse_traceparent("00-" + trace + "-b7ad6b7169203331-01").value();
  const auto joined = run(to_traceparent(caller));
  EXPECT_EQ(joined.trace, caller.trace);
  EXPECT_NE(joined.span, caller.span) << "the request is a span of its own";
  EXPECT_TRUE(joined.sampled());
  EXPECT_EQ(run("cc-" + trace + "-b7ad6b7169203331-00-later").trace, caller.trace);
  for (const std::string& wrong : {std::string("00-1-2-03"), "00-" + trace + "-0000000000000000-01"}) {
    const auto anew = run(wrong);
    EXPECT_NE(anew.trace, caller.trace);
    EXPECT_FALSE(anew.sampled());
    EXPECT_NE(run(wrong).trace, anew.trace);
  }
}

TEST_F(Runs, AJobHasWhatTheRequestSaysWordForWord) {
  api_.functions.rows[{"f"}].env = {{"A", "b"}};
  const std::string input = R"({"n":123456789012345678901234567890,"n":1.0,"s":"\ud83d"})";
  EXPECT_THAT(api_.run("f", input, {}).body, HasSubstr("\"result\":" + input));
  const Job& job = api_.worker.jobs.back();
  EXPECT_EQ(job.input, input);
  EXPECT_EQ(job.mode, RunMode::sync);
  EXPECT_EQ(job.env, (Environment{{"A", "b"}}));
  ASSERT_EQ(post(R"({"functionId":"f","modelId":"m2","something":"else"})").status, 200) << "other members are ignored";
  EXPECT_EQ(api_.worker.jobs.back().input, "{}");
  EXPECT_EQ(api_.worker.jobs.back().model_id, "m2");
  ASSERT_EQ(post(R"({"functionId":"f","modelId":null})").status, 200);
  EXPECT_EQ(api_.worker.jobs.back().model_id, "");
}

TEST_F(Runs, ServerTimingSaysWhereTheTimeWentAndIsOfSyncRunsAlone) {
  EXPECT_EQ(api_.run("f", "1").header("Server-Timing"), "total;dur=0.000, worker;dur=12.500, handler;dur=10.250");
  api_.worker.outcome = [this](const Job& job) {
    api_.clock.advance(milliseconds{20});
    auto result = TestWorker::echo(job);
    result.handler_ms.reset();  // it was never begun
    return result;
  };
  EXPECT_EQ(api_.run("f", "1").header("Server-Timing"), "total;dur=20.000, worker;dur=12.500");
  EXPECT_FALSE(api_.run("f", "1", {{"x-async", "true"}}).has("Server-Timing"));
  EXPECT_FALSE(api_.run("nobody", "1").has("Server-Timing"));
  EXPECT_FALSE(api_.get("/functions").has("Server-Timing"));
}

TEST_F(Runs, AFailedRunIsAnAnswerAndAPlatformsErrorA500) {
  const auto outcome = [this](RunStatus status, std::string code) {
    api_.worker.outcome = [status, code](const Job& job) {
      auto result = TestWorker::echo(job);
      result.status = status;
      result.error_code = code;
      result.error_message = "what went wrong";
      return result;
    };
    return api_.run("f", "1");
  };
  for (const auto& [status, code, name] : {std::tuple{RunStatus::failed, "handler_error", "FAILED"},
                                           {RunStatus::timeout, "timeout", "TIMEOUT"},
                                           {RunStatus::failed, "out_of_memory", "FAILED"}}) {
    const auto answer = outcome(status, code);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.text("status"), name);
    EXPECT_EQ(answer.code(), code);
    EXPECT_EQ(answer.error(), "what went wrong");
  }
  const auto lost = outcome(RunStatus::error, "worker_lost");
  EXPECT_EQ(lost.status, 500);
  EXPECT_EQ(lost.code(), "worker_lost");
  const auto stopped = outcome(RunStatus::error, "shutting_down");
  expect_error(stopped, 503, "shutting_down");
  EXPECT_EQ(stopped.header("Retry-After"), "1");
  EXPECT_EQ(stopped.text("jobId"), stopped.header("x-request-id"));
  const auto lacking = outcome(RunStatus::error, "no_descriptors");
  expect_error(lacking, 503, "no_descriptors");
  EXPECT_EQ(lacking.header("Retry-After"), "1");
}

TEST_F(Runs, AnEndedWaitNamesTheJobThatGoesOn) {
  api_.worker.outcome = [](const Job&) { return std::nullopt; };
  const auto late = api_.run("f", "1");
  expect_error(late, 504, "wait_timeout", "GET /status");
  EXPECT_EQ(late.text("jobId"), late.header("x-request-id"));
  EXPECT_THAT(api_.told(), Contains(HasSubstr("Timeout")));
  api_.worker.abandon_waiters();
  const auto stopping = api_.run("f", "1");
  expect_error(stopping, 503, "shutting_down");
  EXPECT_EQ(stopping.text("jobId"), stopping.header("x-request-id"));
}

TEST_F(Runs, AsyncIsAcceptedThenPendingThenThere) {
  api_.worker.outcome = [](const Job&) { return std::nullopt; };
  const auto answer = api_.run("f", R"("later")", {{"x-async", "TRUE"}});
  ASSERT_EQ(answer.status, 202);
  const std::string job = answer.text("jobId");
  EXPECT_EQ(answer.text("status"), "ACCEPTED");
  EXPECT_THAT(answer.text("message"), HasSubstr("/status/" + job));
  EXPECT_EQ(job, answer.header("x-request-id"));
  EXPECT_EQ(api_.worker.jobs.back().mode, RunMode::async);
  EXPECT_EQ(api_.get("/api/status/" + job).json(), (boost::json::value{{"status", "pending"}}));
  EXPECT_TRUE(run_task(api_.worker.publish(
      api_.worker.jobs.back(), std::make_shared<const JobResult>(TestWorker::echo(api_.worker.jobs.back())))));
  const auto done = api_.get("/status/" + job);
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(done.text("status"), "SUCCESS");
  EXPECT_EQ(done.text("result"), "later");
}

TEST_F(Runs, AFailedRunIsReadAtItsStatusWith200) {
  api_.worker.outcome = [](const Job& job) { return platform_error(job, {errors::worker_lost, "The worker died."}); };
  const auto accepted = api_.run("f", "1", {{"x-async", "true"}});
  const auto answer = api_.get("/status/" + accepted.text("jobId"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.text("status"), "ERROR");
  EXPECT_EQ(answer.code(), "worker_lost");
}

TEST_F(Runs, StatusOfAnUnknownJob) {
  expect_error(api_.get("/status/" + std::string(kUnknown)), 404, "job_not_found");
  for (const char* no_uuid : {"nope", "..%2Fx", "01890000-0000-7000-8000-00000000000g"}) {
    expect_error(api_.get("/status/" + std::string(no_uuid)), 404, "job_not_found", "UUID");
  }
}

TEST_F(Runs, WhatAClientGetsWrongIsNamed) {
  for (const char* wrong : {"7", "null", "true", R"(["f"])", R"({"id":"f"})"}) {
    expect_error(post(R"({"functionId":)" + std::string(wrong) + "}"), 400, "invalid_functionId",
                 "functionId must be a string");
  }
  expect_error(post(R"({"functionId":""})"), 400, "invalid_functionId", "functionId is empty");
  expect_error(post("{}"), 400, "function_id_missing", "functionId is missing");
  expect_error(post(R"({"functionId":"f","modelId":7})"), 400, "invalid_modelId", "modelId");
  expect_error(post(R"({"functionId":"f","modelId":")" + std::string(257, 'm') + "\"}"), 400, "invalid_modelId",
               "256 bytes");
  expect_error(post(R"({"functionId":"f","modelId":"a\u0000b"})"), 400, "invalid_modelId", "NUL");
  expect_error(post(R"({"functionId":"f","functionId":"f"})"), 400, "duplicate_field", "functionId");
  expect_error(post(R"({"functionId":"f"})", {{"x-async", "maybe"}}), 400, "invalid_async", "true or false");
  for (const char* unknown : {R"("01890000-0000-7000-8000-000000000000")", R"("../../etc")", R"("a b")"}) {
    expect_error(post(R"({"functionId":)" + std::string(unknown) + "}"), 404, "function_not_found");
  }
  EXPECT_THAT(api_.worker.jobs, IsEmpty());
}

TEST_F(Runs, OnlyJsonIsRead) {
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""}) {
    const auto answer = api_.send(
        {.method = "POST", .target = "/run", .body = R"({"functionId":"f"})", .headers = {{"Content-Type", type}}});
    expect_error(answer, 415, "unsupported_media_type", "application/json");
    EXPECT_FALSE(answer.body_was_read);
  }
  for (const char* type : {"application/json; charset=utf-8", "Application/JSON", "application/json ;charset=UTF-8"}) {
    EXPECT_EQ(api_.send({.method = "POST",
                         .target = "/run",
                         .body = R"({"functionId":"f"})",
                         .headers = {{"Content-Type", type}}})
                  .status,
              200)
        << type;
  }
}

TEST_F(Runs, ABodyIsTenMebibytesAtMost) {
  const std::string input = '"' + std::string(10 * limits::kMiB, 'x') + '"';
  expect_error(api_.run("f", input), 413, "body_too_large", "10485760");
  auto chunked = json_request("POST", "/run", R"({"functionId":"f","inputData":)" + input + "}");
  chunked.chunked = true;
  expect_error(api_.send(chunked), 413, "body_too_large", "10485760");
  EXPECT_EQ(api_.run("f", '"' + std::string(9 * limits::kMiB, 'x') + '"').status, 200);
}

TEST_F(Runs, AFunctionWithoutCodeAndABusyOneAreRefused) {
  api_.functions.rows[{"f"}].code = {};
  expect_error(api_.run("f", "1"), 409, "function_has_no_code", "PUT /functions/");
  TestApi full({.max_waiting = 1});
  full.add_function("g").max_concurrency = 1;
  full.worker.outcome = [](const Job&) { return std::nullopt; };
  for (int i = 0; i < 2; ++i) EXPECT_EQ(full.run("g", "1", {{"x-async", "true"}}).status, 202);
  const auto busy = full.run("g", "1");
  expect_error(busy, 429, "function_busy", "maxConcurrency");
  EXPECT_EQ(busy.header("Retry-After"), "1");
}

TEST_F(Runs, EnginesThatAreAwayAreA503) {
  for (const char* call : {"functions.find", "queue.enqueue", "results.expect"}) {
    api_.journal.failing = call;
    expect_error(api_.run("f", "1"), 503, "engine_unavailable");
  }
  for (const char* call : {"results.mark_pending", "queue.enqueue"}) {
    api_.journal.failing = call;
    const auto answer = api_.run("f", "1", {{"x-async", "true"}});
    expect_error(answer, 503, "engine_unavailable");
    api_.journal.failing.clear();
    EXPECT_EQ(api_.get("/status/" + answer.header("x-request-id")).status, 404) << "nothing was accepted";
  }
  api_.journal.failing = "results.find";
  EXPECT_EQ(api_.get("/status/" + std::string(kUnknown)).status, 503);
}

TEST_F(Runs, AFullDiskShedsAsynchronousRunsAndNoOthers) {
  api_.overload.report(Resource::disk, 0.9);
  const auto shed = api_.run("f", "1", {{"x-async", "true"}});
  EXPECT_EQ(shed.status, 503);
  EXPECT_EQ(shed.text("code"), "storage_full");
  EXPECT_NE(shed.header("retry-after"), "");
  EXPECT_EQ(api_.run("f", "1").status, 200);
  api_.overload.report(Resource::disk, 0);
  EXPECT_EQ(api_.run("f", "1", {{"x-async", "true"}}).status, 202);
}

}  // namespace
}  // namespace infra::http
