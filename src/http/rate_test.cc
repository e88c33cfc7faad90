// The rate limit as clients meet it, on a clock that stands still: what counts, on whom, what is told, and when there
// is room again.
#include <gmock/gmock.h>

#include "http/test_api.h"

namespace infra::http {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kRun = R"({"functionId":"none"})";  // 404: cheap, and counted like any other answer

Sent run_from(const std::string& forwarded, std::string method = "POST", std::string target = "/run") {
  return json_request(std::move(method), std::move(target), kRun, {{"X-Forwarded-For", forwarded}});
}

TestApiOptions limited(int limit, seconds window, int hops = 1) {
  return {.rate = {.limit = limit, .window = window}, .trusted_proxy_hops = hops};
}

TEST(Rate, TheBudgetIsToldAndPastItTheRefusal) {
  TestApi api(limited(3, seconds{60}, 0));
  const auto now = std::chrono::duration_cast<seconds>(api.clock.now().time_since_epoch()).count();
  for (const int left : {2, 1, 0}) {
    const auto answer = api.send_json("POST", "/run", kRun);
    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(answer.header("X-RateLimit-Limit"), "3");
    EXPECT_EQ(answer.header("X-RateLimit-Remaining"), std::to_string(left));
    EXPECT_NEAR(std::stod(answer.header("X-RateLimit-Reset")), static_cast<double>(now + 60), 1);
    EXPECT_EQ(answer.header("RateLimit-Policy"), R"("default";q=3;w=60)");
    EXPECT_EQ(answer.header("RateLimit"), R"("default";r=)" + std::to_string(left) + ";t=60");
    EXPECT_FALSE(answer.has("Retry-After"));
    api.clock.advance(milliseconds{0});
  }
  api.clock.advance(seconds{20});
  const auto refused = api.send_json("POST", "/run", kRun);
  expect_error(refused, 429, "rate_limited", "at most 3 in this window; try again in");
  EXPECT_FALSE(refused.body_was_read);
  EXPECT_EQ(refused.header("X-RateLimit-Remaining"), "0");
  EXPECT_NEAR(std::stod(refused.header("Retry-After")), 40, 1);
  EXPECT_THAT(api.get("/metrics").body, HasSubstr(R"(rate_limit_refusals_total{bucket="default"} 1)"));
}

TEST(Rate, AsSoonAsOneLeavesTheWindowThereIsRoomForOne) {
  TestApi api(limited(2, seconds{10}, 0));
  const auto status = [&] { return api.send_json("POST", "/run", kRun).status; };
  EXPECT_EQ(status(), 404);
  api.clock.advance(seconds{4});
  EXPECT_EQ(status(), 404);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(status(), 429);
  api.clock.advance(seconds{6} + milliseconds{1});  // the first is out; those refused did not count
  EXPECT_EQ(status(), 404);
  EXPECT_EQ(status(), 429);
  api.clock.advance(seconds{4});
  EXPECT_EQ(status(), 404);
  EXPECT_EQ(status(), 429);
}

TEST(Rate, CountsWhatChangesOrRunsAndNotWhatReads) {
  TestApi api(limited(5, seconds{3600}));
  const std::vector<std::pair<std::string, std::string>> counted = {{"POST", "/run"},
                                                                    {"POST", "/upload"},
                                                                    {"PUT", "/functions/x"},
                                                                    {"DELETE", "/api/functions/x"},
                                                                    {"PUT", "/functions/x/advice"}};
  for (const auto& [method, path] : counted)
    EXPECT_NE(api.send(run_from("10.0.0.1", method, path)).status, 429) << path;
  for (const auto& [method, path] : counted)
    expect_error(api.send(run_from("10.0.0.1", method, path)), 429, "rate_limited");
  for (const Route& route : api.routes()) {
    if (route.rate == Rate::limited) continue;
    const auto answer = api.send(run_from("10.0.0.1", std::string(route.method), std::string(route.pattern)));
    EXPECT_NE(answer.status, 429) << route.pattern;
    EXPECT_FALSE(answer.has("X-RateLimit-Limit")) << route.pattern;
  }
}

TEST(Rate, EachAddressHasItsOwnBudgetAndIpv6Each64) {
  TestApi api(limited(4, seconds{3600}));
  const auto status = [&](const std::string& address) { return api.send(run_from(address)).status; };
  for (const char* address : {"10.0.0.2", "2001:db8:1:1::1"}) {
    for (int i = 0; i < 4; ++i) EXPECT_EQ(status(address), 404);
    EXPECT_EQ(status(address), 429);
  }
  EXPECT_EQ(status("10.0.0.3"), 404);
  EXPECT_EQ(status("2001:db8:1:1:ffff::9"), 429);
  EXPECT_EQ(status("2001:db8:1:2::1"), 404);
  EXPECT_EQ(status("10.0.0.77, 10.0.0.2"), 429);  // only the proxy's own entry counts
  EXPECT_EQ(status("10.0.0.2, 10.0.0.78"), 404);
}

// RFC 9110, 5.3: proxies that add a line of their own instead of going on in the client's.
TEST(Rate, SeveralForwardedLinesAreOneList) {
  TestApi api(limited(1, seconds{3600}));
  const auto status = [&](std::vector<std::string> lines) {
    Sent sent = run_from(lines.front());
    for (std::size_t i = 1; i < lines.size(); ++i) sent.headers.emplace_back("x-forwarded-for", lines[i]);
    return api.send(sent).status;
  };
  EXPECT_EQ(status({"6.6.6.1", "192.0.2.7"}), 404);
  EXPECT_EQ(status({"6.6.6.2", "192.0.2.7"}), 429);
  EXPECT_EQ(status({"6.6.6.3", "6.6.6.4", "192.0.2.7"}), 429);
  EXPECT_EQ(status({"6.6.6.5, 192.0.2.7"}), 429);
  EXPECT_EQ(status({"192.0.2.7", "192.0.2.8"}), 404);
}

TEST(Rate, WithoutATrustedProxyTheHeaderCountsForNothing) {
  TestApi api(limited(1, seconds{60}, 0));
  std::vector<int> statuses;
  for (const char* address : {"10.0.0.1", "10.0.0.2"}) statuses.push_back(api.send(run_from(address)).status);
  EXPECT_THAT(statuses, ElementsAre(404, 429));
  Sent other = run_from("10.0.0.1");
  other.peer = "198.51.100.7";
  EXPECT_EQ(api.send(other).status, 404);
}

TEST(Rate, WrongKeysHaveABudgetOfTheirOwn) {
  TestApi api(limited(4, seconds{60}));
  Sent wrong = run_from("10.0.0.4");
  wrong.key = "wrong";
  for (int i = 0; i < 4; ++i) expect_error(api.send(wrong), 401, "unauthorized");
  const auto refused = api.send(wrong);
  expect_error(refused, 429, "rate_limited", "requests with a wrong key");
  EXPECT_GE(std::stoi(refused.header("Retry-After")), 1);
  Sent none = run_from("10.0.0.4", "GET", "/functions");
  none.key.reset();
  EXPECT_EQ(api.send(none).status, 429);
  EXPECT_EQ(api.send(run_from("10.0.0.4")).status, 404);
  EXPECT_THAT(api.get("/metrics").body, HasSubstr(R"(rate_limit_refusals_total{bucket="auth"} 2)"));
}

TEST(Rate, ZeroTurnsItOff) {
  TestApi api(limited(0, seconds{60}));
  for (int i = 0; i < 150; ++i) {
    const auto answer = api.send_json("POST", "/run", kRun);
    ASSERT_EQ(answer.status, 404);
    ASSERT_FALSE(answer.has("X-RateLimit-Limit"));
  }
  Sent wrong{.target = "/functions", .key = "wrong"};
  for (int i = 0; i < 150; ++i) ASSERT_EQ(api.send(wrong).status, 401);
}

TEST(Rate, IsAHundredAMinuteIfNothingIsSaid) {
  TestApi api({.rate = RatePolicy{}});
  std::vector<int> statuses;
  for (int i = 0; i < 102; ++i) statuses.push_back(api.send_json("POST", "/run", kRun).status);
  EXPECT_EQ(std::ranges::count(statuses, 404), 100);
  EXPECT_EQ(statuses.back(), 429);
}

}  // namespace
}  // namespace infra::http
