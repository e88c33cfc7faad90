// What operators see: health, metrics by route pattern, events, log lines; and no secret in any of them.
#include <gmock/gmock.h>

#include <ranges>

#include "http/test_api.h"

namespace infra::http {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// An engine's check.
class Probe final : public HealthProbe {
 public:
  [[nodiscard]] std::string name() const override { return "queue"; }
  Task<Result<void>> probe() override { co_return Result<void>{}; }
};

boost::json::value line_of(const Answer& answer) {
  for (const auto& line : log::recent_lines() | std::views::reverse) {  // ids are the same in every test
    auto parsed = boost::json::parse(line);
    const auto* id = parsed.as_object().if_contains("requestId");
    if (id != nullptr && id->as_string() == answer.header("x-request-id") && parsed.at("msg") == "request")
      return parsed;
  }
  ADD_FAILURE() << "no line of " << answer.header("x-request-id");
  return {};
}

boost::json::array events(TestApi& api) {
  return api.get("/logs").json().as_array();
}

TEST(Health, IsOkWhileNothingIsWrong) {
  TestApi api;
  const auto answer = api.get("/health");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(
      answer.json(),
      (boost::json::value{{"status", "OK"},
                          {"version", INFRA_VERSION},
                          {"configuration", "present"},
                          {"checks", boost::json::object()},
                          {"overload", {{"pressure", boost::json::object()}, {"actions", boost::json::array()}}}}));
}

TEST(Health, SaysWhatIsShortAndWhatIsDoneAboutIt) {
  TestApi api;
  api.overload.report(Resource::disk, 0.8);
  api.overload.report(Resource::connections, 0.25);
  const auto answer = api.get("/health");
  EXPECT_EQ(answer.status, 200) << "a balancer goes on: runs and reads work";
  EXPECT_EQ(answer.json().at("overload"),
            (boost::json::value{{"pressure", {{"connections", 0.25}, {"disk", 0.8}}},
                                {"actions", boost::json::array{"stop_outputs", "stop_uploads"}}}));
}

TEST(Health, IsA503WhileAnEngineFailsOrTheProgramStops) {
  Probe probe;
  TestApi api({.probes = {&probe}});
  const auto answer = api.get("/health");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.text("status"), "ERROR");
  EXPECT_EQ(answer.json().at("checks").at("queue"),
            (boost::json::value{{"status", "ERROR"}, {"latencyMs", 0}, {"error", "It was not asked yet."}}));
  EXPECT_EQ(api.get("/").text("status"), "ERROR");
  TestApi stopping;
  stopping.draining = true;
  EXPECT_EQ(stopping.get("/health").status, 503);
  EXPECT_EQ(stopping.get("/health").json().at("draining"), true);
  EXPECT_EQ(stopping.get("/").text("status"), "ERROR");
}

TEST(Metrics, CountRequestsByRoutePatternAndNeverByPath) {
  TestApi api;
  for (int i = 0; i < 3; ++i) {
    for (const char* prefix : {"", "/api"}) api.get(prefix + std::string("/functions/nobody-") + std::to_string(i));
    api.get("/made-up/" + std::to_string(i));
    api.send({.method = "VERB" + std::to_string(i), .target = "/functions"});
  }
  const auto answer = api.get("/metrics");
  EXPECT_EQ(answer.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(answer.body,
              HasSubstr(R"(http_requests_total{method="GET",route="/functions/:id",status_code="404"} 6)"));
  EXPECT_THAT(answer.body, HasSubstr(R"(http_requests_total{method="other",route="unmatched",status_code="404"} 3)"));
  EXPECT_THAT(answer.body, HasSubstr(R"(http_requests_total{method="other",route="/functions",status_code="405"} 3)"));
  EXPECT_THAT(answer.body, HasSubstr(R"(http_request_duration_seconds_count{method="GET",route="/functions/:id")"));
  for (const char* path : {"nobody", "made-up", "VERB"}) EXPECT_THAT(answer.body, Not(HasSubstr(path)));
}

TEST(Metrics, HaveTheGaugesOfTheMoment) {
  TestApi api;
  api.gauges = {.queue = GaugeSample::Queue{.ready = 5, .in_flight = 2, .dead = 1},
                .jobs_running = 3,
                .workers = 2,
                .requests_in_flight = 7,
                .pools = {{"python", 4}}};
  const auto text = api.get("/metrics").body;
  for (const char* sample :
       {"job_queue_depth{state=\"ready\"} 5", "worker_pool_instances{runtime=\"python\"} 4", "workers_alive 2"}) {
    EXPECT_THAT(text, HasSubstr(sample));
  }
}

TEST(Metrics, CountRunsByFunctionAndStatus) {
  TestApi api;
  api.add_function("f");
  api.run("f", "1");
  api.worker.outcome = [](const Job& job) {
    auto result = TestWorker::echo(job);
    result.status = RunStatus::failed;
    return result;
  };
  api.run("f", "1");
  const auto text = api.get("/metrics").body;
  for (const char* status : {"SUCCESS", "FAILED"}) {
    EXPECT_THAT(text,
                HasSubstr(R"(function_invocations_total{functionId="f",status=")" + std::string(status) + "\"} 1"));
    EXPECT_THAT(
        text, HasSubstr(R"(function_duration_seconds_count{functionId="f",status=")" + std::string(status) + "\"} 1"));
  }
}

TEST(Requests, HaveALineThatSaysWhoAskedWhatAndHowItWent) {
  TestApi api;
  const auto answer =
      api.send({.target = "/functions/nobody-at-all?secret=x", .headers = {{"x-request-id", "the-clients-own"}}});
  const auto line = line_of(answer);
  EXPECT_EQ(line.at("level"), "info");
  EXPECT_EQ(line.at("method"), "GET");
  EXPECT_EQ(line.at("route"), "/functions/:id");
  EXPECT_EQ(line.at("status"), 404);
  EXPECT_EQ(line.at("client"), "192.0.2.1");
  EXPECT_EQ(line.at("clientRequestId"), "the-clients-own");
  EXPECT_EQ(line.at("functionId"), "nobody-at-all");
  EXPECT_EQ(line.at("code"), "function_not_found");
  EXPECT_GE(line.at("durationMs").to_number<double>(), 0);
  EXPECT_THAT(boost::json::serialize(line), Not(HasSubstr("secret")));
  const auto long_id = api.send({.target = "/health", .headers = {{"x-request-id", std::string(1000, 'i')}}});
  EXPECT_EQ(line_of(long_id).at("clientRequestId").as_string(), std::string(128, 'i'));
  api.journal.failing = "functions.find";
  EXPECT_EQ(line_of(api.get("/functions/f")).at("level"), "error");
}

TEST(Events, TellWhatHappenedAsTheDashboardReadsIt) {
  TestApi api;
  api.add_function("f");
  const auto run = api.run("f", "1");
  api.worker.outcome = [](const Job& job) {
    auto result = TestWorker::echo(job);
    result.status = RunStatus::failed;
    result.exit_code = 1;
    return result;
  };
  const auto failed = api.run("f", "1");
  api.send_json("PUT", "/functions/f", R"({"description":"x"})");
  api.send({.method = "DELETE", .target = "/functions/f"});
  const auto told = events(api);
  ASSERT_THAT(told, SizeIs(6));
  std::vector<std::string> messages;
  std::set<std::string> ids;
  for (const auto& event : told) {
    messages.emplace_back(event.at("msg").as_string());
    ids.emplace(event.at("id").as_string());
    EXPECT_EQ(uuid_version(event.at("id").as_string().c_str()), 7);
    EXPECT_EQ(event.at("functionId"), "f");
    EXPECT_TRUE(parse_iso8601(event.at("timestamp").as_string().c_str()));
    std::vector<std::string> names;
    for (const auto& [name, value] : event.as_object()) names.emplace_back(name);
    EXPECT_THAT(names, ElementsAre("id", "level", "timestamp", "msg", "functionId", "requestId", "duration",
                                   "handlerDurationMs", "memory", "status", "exitCode"));
  }
  EXPECT_THAT(messages, ElementsAre("Function Deleted", "Function Updated", "Function Executed: f", "Run Request",
                                    "Function Executed: f", "Run Request"));
  EXPECT_THAT(ids, SizeIs(6));
  EXPECT_EQ(told[4].at("level"), "INFO");
  EXPECT_EQ(told[4].at("requestId").as_string(), run.header("x-request-id"));
  EXPECT_EQ(told[4].at("duration"), 13);
  EXPECT_EQ(told[4].at("handlerDurationMs"), 10.25);
  EXPECT_EQ(told[4].at("memory"), 20);
  EXPECT_EQ(told[4].at("status"), "SUCCESS");
  EXPECT_EQ(told[2].at("level"), "ERROR");
  EXPECT_EQ(told[2].at("requestId").as_string(), failed.header("x-request-id"));
  EXPECT_EQ(told[2].at("exitCode"), 1);
  EXPECT_EQ(told[0].at("status"), nullptr);
  EXPECT_EQ(events(api), told) << "their ids stay";
}

TEST(Events, RefusalsAreSomeUnlessTheyOnlyReadOrHaveNoKey) {
  TestApi api;
  api.add_function("f");
  api.get("/functions/f/logs?limit=0");
  api.send({.method = "HEAD", .target = "/nope"});
  auto wrong = json_request("PUT", "/functions/f", R"({"memoryMb":1})");
  wrong.key = "wrong";
  api.send(wrong);
  api.send_json("POST", "/worker/heartbeat", R"({"workerId":"w"})");
  EXPECT_THAT(events(api), IsEmpty());
  const auto refused = api.send_json("PUT", "/functions/f", R"({"memoryMb":1})");
  for (int i = 0; i < 5; ++i) api.send_json("PUT", "/functions/f", R"({"memoryMb":1})");
  const auto told = events(api);
  ASSERT_THAT(told, SizeIs(1)) << "what repeats is told once";
  EXPECT_EQ(told[0].at("level"), "WARN");
  EXPECT_EQ(told[0].at("msg"), "Request Refused: PUT /functions/:id: 400 invalid_memory");
  EXPECT_EQ(told[0].at("requestId").as_string(), refused.header("x-request-id"));
  EXPECT_EQ(told[0].at("functionId"), "f");
  api.send({.method = "VERB", .target = "/functions"});
  EXPECT_EQ(events(api)[0].at("msg"), "Request Refused: other /functions: 405 method_not_allowed");
  api.journal.failing = "functions.remove";
  api.send({.method = "DELETE", .target = "/functions/f"});
  EXPECT_EQ(events(api)[0].at("level"), "ERROR");
  EXPECT_EQ(events(api)[0].at("msg"), "Request Failed: DELETE /functions/:id: 503 engine_unavailable");
}

TEST(NativeLogs, AreTheLastHundredLines) {
  TestApi api;
  Answer last;
  for (int i = 0; i < 110; ++i) last = api.get("/nope");
  const auto lines = api.get("/logs?format=native").json().as_array();
  EXPECT_THAT(lines, SizeIs(100));
  EXPECT_EQ(lines.back().at("requestId").as_string(), last.header("x-request-id"));
  for (const char* wrong : {"", "NATIVE", "json"}) {
    expect_error(api.get("/logs?format=" + std::string(wrong)), 400, "invalid_format", "native");
  }
}

TEST(Secrets, ReachNoLogNoEventAndNoMetric) {
  TestApi api;
  api.add_function("f").env = {{"S", "value-of-env"}};
  api.worker.outcome = [](const Job& job) {
    auto result = TestWorker::echo(job);
    result.status = RunStatus::failed;
    result.out = "printed-by-function";
    result.error_code = "handler_error";
    result.error_message = "failed-with-it";
    return result;
  };
  api.run("f", R"("text-of-input")");
  api.send({.target = "/functions", .key = "a-wrong-key-99"});
  api.send_json("POST", "/run", R"({"functionId": "text-of-input)");
  api.get("/functions?cursor=text-of-query");
  std::string said = api.get("/logs").body + api.get("/logs?format=native").body + api.get("/metrics").body;
  for (const auto& line : log::recent_lines()) said += line;
  for (const std::string& secret :
       {std::string(kKey), std::string("a-wrong-key-99"), std::string("value-of-env"), std::string("text-of-input"),
        std::string("printed-by-function"), std::string("failed-with-"), std::string("text-of-query")}) {
    EXPECT_THAT(said, Not(HasSubstr(secret)));
  }
}

}  // namespace
}  // namespace infra::http
