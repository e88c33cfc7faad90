// A function's execution log in pages, by time and whole; and the files that its runs left.
#include <gmock/gmock.h>

#include "core/error_codes.h"
#include "core/object_keys.h"
#include "http/test_api.h"

namespace infra::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Logs : public ::testing::Test {
 protected:
  Logs() { api_.add_function("f"); }
  // The request's id.
  std::string add_run(const std::string& printed) {
    api_.worker.outcome = [printed](const Job& job) {
      auto result = TestWorker::echo(job);
      result.out = printed;
      result.cpu_usage_us = 700;
      result.cold_start = true;
      return result;
    };
    api_.clock.advance(std::chrono::seconds{1});
    return api_.run("f", "1").header("x-request-id");
  }
  std::vector<std::string> ids(const std::string& query) {
    std::vector<std::string> ids;
    const auto answer = api_.get("/functions/f/logs" + query);
    EXPECT_EQ(answer.status, 200) << query << ' ' << answer.body;
    const auto rows = answer.json();
    for (const auto& row : rows.as_array()) ids.emplace_back(row.at("requestId").as_string());
    return ids;
  }
  TestApi api_;
};

TEST_F(Logs, ARowHasTheContractsFieldsShortInAListAndWholeAlone) {
  const std::string id = add_run(std::string(500, 'z'));
  const auto listed = api_.get("/functions/f/logs").json().at(0);
  const std::string time = to_iso8601(api_.clock.now());
  boost::json::value expected{{"id", id},
                              {"requestId", id},
                              {"timestamp", time},
                              {"status", "SUCCESS"},
                              {"code", nullptr},
                              {"duration", 13},
                              {"handlerDurationMs", 10.25},
                              {"memory", 20},
                              {"allocatedMemoryMb", 128},
                              {"peakMemoryBytes", 20 << 20},
                              {"cpuUsage", 700},
                              {"coldStart", true},
                              {"traceId", nullptr},
                              {"message", std::string(200, 'z') + "..."}};
  EXPECT_EQ(listed, expected);
  auto whole = api_.get("/api/functions/f/logs/" + id).json();
  EXPECT_NE(std::string(whole.at("message").as_string()).find(std::string(500, 'z')), std::string::npos);
  whole.as_object()["message"] = expected.at("message");
  EXPECT_EQ(whole, expected);
}

TEST_F(Logs, TextThatIsNoUtf8IsShownAsText) {
  const std::string id = add_run("a\xff");
  for (const std::string& path : {std::string(), "/" + id}) {
    const auto body = api_.get("/functions/f/logs" + path).body;
    EXPECT_NE(body.find("a\xef\xbf\xbd"), std::string::npos) << body;
  }
}

TEST_F(Logs, NewestFirstInPagesWhoseLinksKeepWhatWasAsked) {
  std::vector<std::string> runs;
  for (int i = 0; i < 5; ++i) runs.insert(runs.begin(), add_run("x"));
  const std::string start = to_iso8601(api_.clock.now() - std::chrono::seconds{3});
  EXPECT_EQ(ids(""), runs);
  std::vector<std::string> found;
  int pages = 0;
  for (std::string path = "/functions/f/logs?limit=2"; !path.empty(); ++pages) {
    const auto answer = api_.get(path);
    const auto rows = answer.json();
    for (const auto& row : rows.as_array()) found.emplace_back(row.at("requestId").as_string());
    const std::string link = answer.header("Link");
    EXPECT_EQ(link.empty(), pages == 2);
    path = link.empty() ? "" : link.substr(1, link.find('>') - 1);
  }
  EXPECT_EQ(found, runs);
  EXPECT_EQ(pages, 3);
  const auto link = api_.get("/functions/f/logs?limit=2&startTime=" + net::percent_encode(start)).header("Link");
  EXPECT_NE(link.find("limit=2&startTime=" + net::percent_encode(start) + "&cursor="), std::string::npos) << link;
  EXPECT_THAT(ids("?limit=1000&startTime=" + start), SizeIs(4));
}

TEST_F(Logs, AStartIsReadInEveryFormOfIso8601) {
  const std::string id = add_run("x");
  const WallTime at = api_.clock.now();
  const std::string utc = to_iso8601(at);
  const std::string bare = utc.substr(0, utc.size() - 1);
  const std::string east = to_iso8601(at + std::chrono::hours{9});
  const std::string eastern = east.substr(0, east.size() - 1);
  std::string spaced = utc;
  spaced.replace(10, 1, "%20");
  for (const std::string& same : {utc, bare + "+00:00", bare + "%2B00:00", bare, bare + "999999999z", spaced,
                                  eastern + "+09:00", eastern + "%2B0900", eastern + "%20%2B09:00"}) {
    EXPECT_THAT(ids("?startTime=" + same), ElementsAre(id)) << same;
  }
  EXPECT_THAT(ids("?startTime=" + to_iso8601(at + milliseconds{1})), IsEmpty());
  EXPECT_THAT(ids("?startTime=2999-01-01"), IsEmpty());
  for (const char* wrong : {"yesterday", "", "2026-02-30", "1700000000"}) {
    expect_error(api_.get("/functions/f/logs?startTime=" + std::string(wrong)), 400, "invalid_start_time", "ISO 8601");
  }
}

TEST_F(Logs, ATraceHasItsRows) {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  add_run("x");
  const std::string id = add_run("y");
  for (auto& [key, row] : api_.logs.rows) {
    if (row.request_id.value == id) row.trace_id = trace;
  }
  EXPECT_THAT(ids("?traceId=" + trace), ElementsAre(id));
  EXPECT_EQ(api_.get("/functions/f/logs/" + id).text("traceId"), trace);
  EXPECT_THAT(ids("?traceId=" + std::string(32, 'a')), IsEmpty());
  for (const std::string& wrong : {std::string(), std::string("x"), std::string(32, '0'), trace + "0"})
    expect_error(api_.get("/functions/f/logs?traceId=" + wrong), 400, "invalid_trace_id", "32");
}

TEST_F(Logs, WhatIsNotThereIsTold) {
  const std::string unknown(kUnknown);
  expect_error(api_.get("/functions/f/logs/" + unknown), 404, "log_not_found");
  expect_error(api_.get("/functions/" + unknown + "/logs"), 404, "function_not_found");
  expect_error(api_.get("/functions/no%20id/logs"), 404, "function_not_found");
  for (const char* call : {"logs.list", "logs.find"}) {
    api_.journal.failing = call;
    const auto path = std::string(call) == "logs.list" ? "/functions/f/logs" : "/functions/f/logs/" + unknown;
    expect_error(api_.get(path), 503, "engine_unavailable");
  }
}

// Files of a job's three starts, each with its number in it.
class OutputFiles : public Logs {
 protected:
  OutputFiles() {
    for (const int attempt : {1, 2, 3}) put("a", attempt);
  }
  void put(const std::string& name, int attempt) {
    const auto key = output_key({"f"}, request_, name, attempt);
    ASSERT_TRUE(run_task(api_.code.put_object(key, std::to_string(attempt))));
  }
  void settle(std::optional<int> attempt) { api_.add_log_row({"f"}, request_, attempt); }
  // Its result is told, with the file that this start kept; 0: with none.
  void tell(int attempt, bool name_only = false) {
    Job job;
    job.request_id = request_;
    auto result = TestWorker::echo(job);
    result.function_id = {"f"};
    result.out = printed_;
    const auto key = output_key({"f"}, request_, "a", attempt);
    if (attempt > 0) result.output_files = {{.name = "a", .key = name_only ? "" : key, .name_only = name_only}};
    ASSERT_TRUE(run_task(api_.worker.publish(job, std::make_shared<const JobResult>(std::move(result)))));
  }
  // What is in the file; empty if there is none.
  std::string file(const std::string& name = "a") {
    const auto answer = api_.get("/functions/f/logs/" + request_.value + "/files/" + name);
    if (answer.status != 200) expect_error(answer, 404, "output_file_not_found", "30 days");
    return answer.status == 200 ? answer.body : "";
  }
  const RequestId request_{std::string(kUnknown)};
  std::string printed_;
};

TEST_F(OutputFiles, AreTheSettledStartsWhateverALaterOneLeft) {
  for (const int attempt : {1, 2, 3}) {
    settle(attempt);
    EXPECT_EQ(file(), std::to_string(attempt));
  }
  settle(1);
  put("late", 2);
  EXPECT_EQ(file("late"), "");
  settle(0);
  EXPECT_EQ(file(), "") << "the start that settled left none";
}

TEST_F(OutputFiles, AreTheToldStartsUntilTheRowIsThere) {
  EXPECT_EQ(file(), "") << "the run goes on, or there was none";
  tell(1);
  EXPECT_EQ(file(), "1");
  tell(0);
  EXPECT_EQ(file(), "");
  tell(1, true);
  EXPECT_EQ(file(), "") << "a reference worker's, which keeps none of ours";
  printed_ = std::string(1'000'000, 'z');
  tell(1);
  EXPECT_EQ(file(), "1") << "of a long one, too";
  settle(2);
  EXPECT_EQ(file(), "2") << "the row decides";
}

TEST_F(OutputFiles, OfAnOlderRowAreTheToldStartsOrTheLasts) {
  settle(std::nullopt);
  EXPECT_EQ(file(), "3");
  put("early", 1);
  EXPECT_EQ(file("early"), "1");
  tell(2);
  EXPECT_EQ(file(), "2");
}

TEST_F(OutputFiles, AreNotGuessedWhereNothingCanBeAsked) {
  for (const char* call : {"logs.find", "results.find"}) {
    api_.journal.failing = call;
    expect_error(api_.get("/functions/f/logs/" + request_.value + "/files/a"), 503, "engine_unavailable");
  }
}

TEST_F(Logs, AnOutputFileIsADownloadWhateverIsInIt) {
  const RequestId request{std::string(kUnknown)};
  api_.add_log_row({"f"}, request, 1);
  const std::string files = "/functions/f/logs/" + request.value + "/files/";
  for (const auto& [name, disposition] :
       {std::pair{"page.html", R"(attachment; filename="page.html")"},
        {"a/b/c.txt", R"(attachment; filename="c.txt")"},
        {"größe \"1\".txt", "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%221%22.txt"}}) {
    ASSERT_TRUE(run_task(api_.code.put_object(output_key({"f"}, request, name), "<script>\xff")));
    const auto answer = api_.get(files + net::percent_encode(name));
    ASSERT_EQ(answer.status, 200) << name;
    EXPECT_EQ(answer.body, "<script>\xff");
    EXPECT_EQ(answer.header("Content-Type"), "application/octet-stream");
    EXPECT_EQ(answer.header("Content-Disposition"), disposition);
    EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  }
  EXPECT_EQ(api_.get(files + "a/b/c.txt").status, 200) << "a slash need not be encoded";
  for (const char* none : {"none.txt", "..%2Fpage.html", "page.html%00"}) {
    expect_error(api_.get(files + none), 404, "output_file_not_found", "30 days");
  }
  expect_error(api_.get(files + "%zz"), 404, "unknown_route");
  api_.code.fail_with(Error{errors::code_store_unavailable, "away", std::chrono::seconds{1}});
  const auto away = api_.get(files + "page.html");
  expect_error(away, 503, "code_store_unavailable");
  EXPECT_EQ(away.header("Retry-After"), "1");
}

}  // namespace
}  // namespace infra::http
