// /functions: a function as it is shown, listed in pages and removed; and the advice on its memory.
#include <gmock/gmock.h>

#include "http/test_api.h"

namespace infra::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Every id of a listing, page after page by its links.
std::vector<std::string> ids_of_pages(TestApi& api, std::string path, int* pages) {
  std::vector<std::string> ids;
  for (*pages = 0; !path.empty() && *pages < 20; ++*pages) {
    const auto answer = api.get(path);
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto rows = answer.json();
    for (const auto& row : rows.as_array()) ids.emplace_back(row.at("id").as_string());
    const std::string link = answer.header("Link");
    if (!link.empty()) EXPECT_TRUE(link.starts_with('<') && link.ends_with(">; rel=\"next\"")) << link;
    path = link.empty() ? "" : link.substr(1, link.find('>') - 1);
  }
  return ids;
}

TEST(Functions, OneIsShownWithTheContractsFields) {
  TestApi api;
  Function& row = api.add_function("f");
  row.name = "größe \"&\"";
  row.invocations = 4;
  row.total_duration_ms = 50;
  const std::string time = to_iso8601(api.clock.now());
  boost::json::value expected{{"functionId", "f"},  {"id", "f"},           {"name", row.name},
                              {"description", ""},  {"runtime", "python"}, {"memoryMb", 128},
                              {"network", "none"},  {"keepWarm", 0},       {"maxConcurrency", 0},
                              {"invocations", 4},   {"avgDuration", 13},   {"avgHandlerDuration", nullptr},
                              {"uploadedAt", time}, {"updatedAt", time},   {"s3Key", "functions/f/1.zip"}};
  EXPECT_EQ(api.get("/functions").json(), boost::json::array{expected});
  expected.as_object()["envVars"] = boost::json::object{};
  EXPECT_EQ(api.get("/functions/f").json(), expected);
  EXPECT_EQ(api.get("/api/functions/f").json(), expected);
  api.functions.rows[{"f"}].handler_invocations = 3;
  api.functions.rows[{"f"}].total_handler_ms = 10;
  EXPECT_EQ(api.get("/functions/f").json().at("avgHandlerDuration"), 3.333);
}

TEST(Functions, AQuarantineIsShownUntilItIsOver) {
  TestApi api;
  const CodeRef code = api.add_function("f").code;
  EXPECT_FALSE(api.get("/functions/f").json().as_object().contains("quarantinedUntil"));
  api.quarantine.lasting[version_of({"f"}, code)] = std::chrono::minutes{1};
  EXPECT_EQ(api.get("/functions/f").text("quarantinedUntil"), to_iso8601(api.clock.now() + std::chrono::minutes{1}));
  const auto refused = api.run("f", "{}");
  expect_error(refused, 503, "function_quarantined", "new code");
  EXPECT_EQ(refused.header("Retry-After"), "60");
  EXPECT_TRUE(api.worker.jobs.empty());
}

TEST(Functions, ComeInPagesWhoseLinksKeepPrefixAndLimit) {
  TestApi api;
  for (const char* id : {"a", "b", "c", "d", "e"}) api.add_function(id);
  int pages = 0;
  EXPECT_THAT(ids_of_pages(api, "/functions?limit=1", &pages), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_EQ(pages, 5);
  EXPECT_THAT(ids_of_pages(api, "/api/functions?limit=2", &pages), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(api.get("/api/functions?limit=2").header("Link"), R"(</api/functions?limit=2&cursor=c>; rel="next")");
  EXPECT_EQ(api.get("/functions").header("Link"), R"(</functions?cursor=c>; rel="next")");
  EXPECT_FALSE(api.get("/functions?cursor=d").has("Link"));
}

TEST(Functions, ALimitIsAWholeNumberUpToAThousand) {
  TestApi api;
  api.add_function("f");
  for (const char* path : {"/functions", "/functions/f/logs"}) {
    for (const char* wrong : {"0", "-1", "1001", "x", "", "ten", "1.5", "1e2", "%201"}) {
      expect_error(api.get(path + std::string("?limit=") + wrong), 400, "invalid_limit", "from 1 to 1000");
    }
    for (const char* right : {"1", "1000"}) EXPECT_EQ(api.get(path + std::string("?limit=") + right).status, 200);
  }
}

TEST(Functions, ARemovedOneIsGoneFromEveryRoute) {
  TestApi api;
  api.add_function("f");
  const auto removed = api.send({.method = "DELETE", .target = "/functions/f"});
  EXPECT_EQ(removed.json(), (boost::json::value{{"success", true}, {"deletedId", "f"}}));
  EXPECT_EQ(api.told().front(), "Function Deleted");
  EXPECT_THAT(api.get("/functions").json().as_array(), IsEmpty());
  for (const char* method : {"GET", "DELETE"}) {
    expect_error(api.send({.method = method, .target = "/functions/f"}), 404, "function_not_found");
  }
  expect_error(api.send_json("PUT", "/functions/f", R"({"description":"x"})"), 404, "function_not_found");
  for (const char* path : {"/logs", "/logs/01890000-0000-7000-8000-000000000000", "/advice",
                           "/logs/01890000-0000-7000-8000-000000000000/files/a.txt"}) {
    expect_error(api.get("/functions/f" + std::string(path)), 404, "function_not_found");
  }
  expect_error(api.send({.method = "PUT", .target = "/functions/f/advice"}), 404, "function_not_found");
  expect_error(api.run("f", "1"), 404, "function_not_found");
}

TEST(Functions, AnEngineThatIsAwayIsA503) {
  TestApi api;
  api.add_function("f");
  for (const char* call : {"functions.find", "functions.list", "functions.remove", "functions.update"}) {
    api.journal.failing = call;
    const std::string name = call;
    const auto answer = name == "functions.list"     ? api.get("/functions")
                        : name == "functions.remove" ? api.send({.method = "DELETE", .target = "/functions/f"})
                        : name == "functions.update" ? api.send_json("PUT", "/functions/f", R"({"memoryMb":256})")
                                                     : api.get("/functions/f");
    expect_error(answer, 503, "engine_unavailable");
  }
}

class Advice : public ::testing::Test {
 protected:
  Advice() { api_.add_function("f").memory_mb = 1024; }
  void run(int count, std::int64_t mib) {
    api_.worker.outcome = [mib](const Job& job) {
      auto result = TestWorker::echo(job);
      result.peak_memory_bytes = mib << 20;
      result.cpu_usage_us = 5000;
      return result;
    };
    for (int i = 0; i < count; ++i) {
      api_.clock.advance(milliseconds{1});
      EXPECT_EQ(api_.run("f", "1").status, 200);
    }
  }
  Answer apply(std::string body = "") {
    return api_.send({.method = "PUT", .target = "/api/functions/f/advice", .body = std::move(body)});
  }
  TestApi api_;
};

TEST_F(Advice, IsGivenFromTenRunsOnAndCanBeApplied) {
  run(9, 10);
  const auto few = api_.get("/functions/f/advice").json();
  EXPECT_EQ(few.at("runs"), 9);
  EXPECT_EQ(few.at("verdict"), "unknown");
  EXPECT_EQ(few.at("recommendedMemoryMb"), nullptr);
  EXPECT_EQ(few.at("apply"), nullptr);
  expect_error(apply(), 409, "nothing_to_apply", "a recommendation needs 10");

  run(5, 100);
  const auto found = api_.get("/functions/f/advice").json();
  std::vector<std::string> names;
  for (const auto& [name, value] : found.as_object()) names.emplace_back(name);
  EXPECT_THAT(names, ElementsAre("functionId", "since", "allocatedMemoryMb", "runs", "coldStarts", "outOfMemoryRuns",
                                 "peakMemoryBytes", "cpu", "verdict", "confidence", "recommendedMemoryMb",
                                 "estimatedSavings", "optimizationTip", "apply"));
  EXPECT_EQ(found.at("verdict"), "lower");
  EXPECT_EQ(found.at("allocatedMemoryMb"), 1024);
  EXPECT_EQ(found.at("peakMemoryBytes").at("max"), 100 << 20);
  const auto wanted = found.at("recommendedMemoryMb").as_int64();
  EXPECT_EQ(found.at("apply"), (boost::json::value{{"memoryMb", wanted}}));
  EXPECT_THAT(found.at("optimizationTip").as_string().c_str(), HasSubstr(std::to_string(wanted) + " MB are enough"));

  EXPECT_EQ(apply("{}").json(), (boost::json::value{{"success", true}, {"functionId", "f"}, {"memoryMb", wanted}}));
  EXPECT_EQ(api_.functions.rows[{"f"}].memory_mb, wanted);
  EXPECT_EQ(api_.get("/functions/f/advice").json().at("runs"), 0) << "runs with other memory say nothing of this";
}

TEST_F(Advice, TakesNoBody) {
  expect_error(apply(R"({"memoryMb":256})"), 400, "unexpected_body", "PUT /functions/:id");
  expect_error(apply(std::string(2000, ' ')), 413, "body_too_large");
  expect_error(api_.send({.method = "DELETE", .target = "/functions/f/advice"}), 405, "method_not_allowed");
}

TEST_F(Advice, OfAFunctionThatNeverRanIsNone) {
  const auto never = api_.get("/functions/f/advice").json();
  EXPECT_EQ(never.at("runs"), 0);
  EXPECT_EQ(never.at("peakMemoryBytes"), nullptr);
  EXPECT_EQ(never.at("confidence"), "none");
}

}  // namespace
}  // namespace infra::http
