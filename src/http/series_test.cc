// A function's runs over time: what is told, in which steps, and what is refused.
#include "core/error_codes.h"
#include "http/test_api.h"

namespace infra::http {
namespace {

class SeriesTest : public ::testing::Test {
 protected:
  SeriesTest() { api_.add_function("f"); }
  void add_run(WallTime at, RunStatus status, double ms) {
    LogRow row;
    row.function_id = {"f"};
    row.timestamp = to_iso8601(at);
    row.status = status;
    row.duration_ms = ms;
    row.profile = {.peak_memory_bytes = 20 << 20, .cpu_usage_us = 1, .cold_start = status != RunStatus::success};
    api_.series.note(row);
  }
  Answer get(const std::string& query = "") {
    run_task(api_.series.write(SteadyTime::max()));
    return api_.get("/functions/f/series" + query);
  }
  TestApi api_;
};

TEST_F(SeriesTest, TheLastHourByTheMinute) {
  using std::chrono::minutes;
  add_run(api_.clock.now() - minutes{5}, RunStatus::success, 2);
  add_run(api_.clock.now() - minutes{5}, RunStatus::failed, 6);
  add_run(api_.clock.now() - minutes{90}, RunStatus::success, 2);
  const auto answer = get().json();
  EXPECT_EQ(answer.at("functionId"), "f");
  EXPECT_EQ(answer.at("step"), 60);
  const auto minute = std::chrono::floor<minutes>(api_.clock.now() - minutes{5});
  const auto& points = answer.at("points").as_array();
  ASSERT_EQ(points.size(), 1U);
  const boost::json::value expected{
      {"time", to_iso8601(minute)},     {"runs", 2},  {"errors", 1}, {"coldStarts", 1},   {"averageMs", 4},
      {"p50Ms", points[0].at("p50Ms")}, {"p99Ms", 6}, {"maxMs", 6},  {"peakMemoryMb", 20}};
  EXPECT_EQ(points[0], expected);
  EXPECT_NEAR(points[0].at("p50Ms").to_number<double>(), 2, 0.2);
}

TEST_F(SeriesTest, StepsAreMultiplesSoThatAChartDoesNotMoveWithTheClock) {
  const auto answer = get("?from=2026-11-20T10:07:31Z&to=2026-11-20T11:00:00Z&step=900").json();
  EXPECT_EQ(answer.at("from"), "2026-11-20T10:00:00.000Z");
  EXPECT_EQ(answer.at("to"), "2026-11-20T11:00:00.000Z");
  EXPECT_TRUE(answer.at("points").as_array().empty());
}

TEST_F(SeriesTest, WithoutAStepThereAreNotTooMany) {
  for (const auto& [hours, step] : std::vector<std::pair<int, int>>{{2, 60}, {3, 300}, {24, 900}, {168, 21'600}}) {
    const auto from = to_iso8601(api_.clock.now() - std::chrono::hours{hours});
    EXPECT_EQ(get("?from=" + from).json().at("step"), step) << hours;
  }
}

TEST_F(SeriesTest, WhatCannotBeToldIsRefusedByName) {
  const std::string now = to_iso8601(api_.clock.now());
  const std::string old = to_iso8601(api_.clock.now() - std::chrono::days{40});
  const std::string week = to_iso8601(api_.clock.now() - std::chrono::days{7});
  for (const auto& [query, said] :
       std::vector<std::pair<std::string, std::string>>{{"?from=yesterday", "from must be ISO 8601"},
                                                        {"?to=x", "to must be ISO 8601"},
                                                        {"?step=x", "step must be"},
                                                        {"?step=61", "step must be"},
                                                        {"?step=0", "step must be"},
                                                        {"?step=99999999999", "step must be"},
                                                        {"?step=-60", "step must be"},
                                                        {"?from=" + now + "&to=" + now, "before to"},
                                                        {"?from=" + old, "30 days"},
                                                        {"?to=9999-01-01", "30 days"},
                                                        {"?step=60&from=" + week, "at most 1000"}}) {
    expect_error(get(query), 400, "invalid_series_range", said);
  }
  expect_error(api_.get("/functions/none/series"), 404, "function_not_found");
}

}  // namespace
}  // namespace infra::http
