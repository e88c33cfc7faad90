// Workers tell of themselves and are told of; the AI node's models.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "http/test_api.h"

namespace infra::http {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;

const std::string kBeat =
    R"({"workerId":"w-1","status":"draining","pools":{"python":2,"nodejs":1,"cpp":0,"go":0,"java":9},)"
    R"("activeJobs":3,"uptimeSeconds":12.5,"timestamp":"2026-01-01T00:00:00.000Z"})";

TEST(Workers, TellOfThemselvesAndAreListed) {
  TestApi api;
  EXPECT_EQ(api.send_json("POST", "/api/worker/heartbeat", kBeat).json(), (boost::json::value{{"ok", true}}));
  const auto heard = api.clock.now();
  api.clock.advance(seconds{4});
  const boost::json::value worker{{"workerId", "w-1"},
                                  {"status", "draining"},
                                  {"healthStatus", "healthy"},
                                  {"pools", {{"cpp", 0}, {"go", 0}, {"nodejs", 1}, {"python", 2}}},
                                  {"activeJobs", 3},
                                  {"uptimeSeconds", 12.5},
                                  {"lastSeen", heard.time_since_epoch().count()},
                                  {"lastSeenAgo", "4s"},
                                  {"receivedAt", to_iso8601(heard)}};
  for (const char* path : {"/workers", "/worker/status", "/api/workers"}) {
    EXPECT_EQ(api.get(path).json(),
              (boost::json::value{{"totalWorkers", 1}, {"healthyWorkers", 1}, {"workers", boost::json::array{worker}}}))
        << path;
  }
}

// On one machine: what another worker tells of itself is kept, and it is said that it can't ever get a job here.
TEST(Workers, WhereOneTakesAllJobsEachSaysWhetherItDoes) {
  TestApi api({.only_worker = WorkerId{"w-1"}});
  for (const char* beat : {R"({"workerId":"w-1"})", R"({"workerId":"w-2","activeJobs":3})"}) {
    EXPECT_EQ(api.send_json("POST", "/worker/heartbeat", beat).json(), (boost::json::value{{"ok", true}}));
  }
  const auto workers = api.get("/workers").json().at("workers").as_array();
  ASSERT_EQ(workers.size(), 2U);
  EXPECT_EQ(workers[0].at("takesJobs"), true);
  EXPECT_EQ(workers[1].at("takesJobs"), false);
  EXPECT_EQ(workers[1].at("activeJobs"), 3);
}

TEST(Workers, NoMoreAreKeptAccountOfThanMayBe) {
  TestApi api;
  const auto beat = [&](std::size_t id) {
    return api.send_json("POST", "/worker/heartbeat", fmt::format(R"({{"workerId":"w-{}"}})", id));
  };
  for (std::size_t id = 0; id < kMostWorkers; ++id) ASSERT_EQ(beat(id).status, 200);
  expect_error(beat(kMostWorkers), 503, "too_many_workers", "1000 other workers");
  EXPECT_EQ(beat(0).status, 200);
  api.clock.advance(seconds{31});
  EXPECT_EQ(beat(kMostWorkers).status, 200) << "the others are gone";
}

TEST(Workers, WhoIsSilentForThirtySecondsIsGone) {
  TestApi api;
  api.send_json("POST", "/worker/heartbeat", kBeat);
  EXPECT_EQ(api.get("/system/status").text("status"), "online");
  api.clock.advance(seconds{31});
  EXPECT_EQ(api.get("/workers").json().at("totalWorkers"), 0);
  EXPECT_EQ(api.get("/system/status").text("status"), "offline");
}

TEST(Workers, TheSystemsStatusAddsThemUp) {
  TestApi api;
  api.send_json("POST", "/worker/heartbeat", kBeat);
  api.send_json("POST", "/worker/heartbeat", R"({"workerId":"w-2","pools":{"python":5},"activeJobs":1})");
  api.clock.advance(milliseconds{1500});
  const auto status = api.get("/system/status").json();
  EXPECT_EQ(status.at("worker_count"), 2);
  EXPECT_EQ(status.at("active_jobs"), 4);
  EXPECT_EQ(status.at("pools"), (boost::json::value{{"cpp", 0}, {"go", 0}, {"nodejs", 1}, {"python", 7}}));
  EXPECT_EQ(status.at("uptime_seconds"), 2);
  EXPECT_NEAR(status.at("timestamp").to_number<double>(),
              static_cast<double>(api.clock.now().time_since_epoch().count()) / 1000, 0.001);
}

TEST(Workers, AHeartbeatOfTheLeastAndOfTheReferencesNumbers) {
  TestApi api;
  for (const char* beat : {R"({"workerId":"w"})", R"({"workerId":"w","timestamp":1767225600})",
                           R"({"workerId":"w","timestamp":1767225600.25,"something":"else"})"}) {
    EXPECT_EQ(api.send_json("POST", "/worker/heartbeat", beat).status, 200) << beat;
  }
  EXPECT_EQ(api.get("/workers").json().at("workers").at(0).at("status"), "healthy");
  EXPECT_EQ(api.send_json("POST", "/worker/heartbeat", R"({"workerId":"w-\ud83d"})").status, 200);
  EXPECT_EQ(api.get("/workers").json().at("workers").at(1).at("workerId"), "w-\xef\xbf\xbd");
}

TEST(Workers, AHeartbeatThatIsWrongIsNamedAndCountsForNothing) {
  TestApi api;
  const std::string longer(257, 'w');
  const struct {
    std::string beat, says;
  } cases[] = {{"{}", "workerId is missing"},
               {R"({"workerId":7})", "workerId must be a string"},
               {R"({"workerId":""})", "workerId is missing"},
               {R"({"workerId":")" + longer + "\"}", "at most 256 bytes"},
               {R"({"workerId":"w","status":1})", "status must be a string"},
               {R"({"workerId":"w","pools":3})", "pools must be an object"},
               {R"({"workerId":"w","pools":{"python":-1}})", "pools must be an object of whole numbers"},
               {R"({"workerId":"w","pools":{"python":1.5}})", "pools must be an object of whole numbers"},
               {R"({"workerId":"w","activeJobs":"many"})", "activeJobs must be a number"},
               {R"({"workerId":"w","activeJobs":-1})", "activeJobs must be a number"},
               {R"({"workerId":"w","uptimeSeconds":"long"})", "uptimeSeconds must be a number"}};
  for (const auto& [beat, says] : cases) {
    SCOPED_TRACE(beat.substr(0, 80));
    expect_error(api.send_json("POST", "/worker/heartbeat", beat), 400, "invalid_heartbeat", says);
  }
  expect_error(api.send_json("POST", "/worker/heartbeat", "[]"), 400, "invalid_json");
  expect_error(api.send_json("POST", "/worker/heartbeat", R"({"workerId":")" + std::string(65 * 1024, 'w') + "\"}"),
               413, "body_too_large", "65536");
  EXPECT_EQ(api.get("/workers").json().at("totalWorkers"), 0);
}

TEST(Models, AreTheNodesOrTheDefaultWithAWarning) {
  TestApi api;
  api.models.found = {.models = {{.id = "tiny:1b",
                                  .name = "tiny:1b",
                                  .size_bytes = 1'300'000'000,
                                  .details_json = R"({"family":"tiny"})",
                                  .status = "available"}},
                      .warning = {}};
  EXPECT_EQ(api.get("/api/models").json(), boost::json::parse(R"({"models":[{"id":"tiny:1b","name":"tiny:1b",)"
                                                              R"("size":1300000000,"details":{"family":"tiny"},)"
                                                              R"("status":"available"}]})"));
  api.models.found = {.models = {{.id = "llama3:8b",
                                  .name = "llama3:8b (Default)",
                                  .size_bytes = {},
                                  .details_json = "{}",
                                  .status = "fallback"}},
                      .warning = "The AI node does not answer."};
  EXPECT_EQ(api.get("/models").json(),
            boost::json::parse(R"-({"models":[{"id":"llama3:8b","name":"llama3:8b (Default)","details":{},)-"
                               R"-("status":"fallback"}],"warning":"The AI node does not answer."})-"));
}

}  // namespace
}  // namespace infra::http
