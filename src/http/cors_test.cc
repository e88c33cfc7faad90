// Browsers: named origins get their headers on every answer, others none.
#include <gmock/gmock.h>

#include "http/test_api.h"

namespace infra::http {
namespace {

using ::testing::HasSubstr;

Sent preflight(std::string origin) {
  return {.method = "OPTIONS",
          .target = "/api/run",
          .headers = {{"Origin", std::move(origin)},
                      {"Access-Control-Request-Method", "POST"},
                      {"Access-Control-Request-Headers", "x-api-key, x-async"}},
          .key = {}};
}

Sent with_origin(std::string origin) {
  return {.target = "/functions", .headers = {{"Origin", std::move(origin)}}};
}

TEST(Cors, NamedOriginsArePreflightedWithoutAKey) {
  TestApi api({.cors_origins = {"https://dash.example", "http://localhost:3000"}});
  for (const char* origin : {"https://dash.example", "http://localhost:3000"}) {
    const auto answer = api.send(preflight(origin));
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), origin);
    for (const char* method : {"GET", "POST", "PUT", "DELETE"}) {
      EXPECT_THAT(answer.header("Access-Control-Allow-Methods"), HasSubstr(method));
    }
    for (const char* name :
         {"content-type", "content-encoding", "x-api-key", "authorization", "x-async", "x-runtime", "x-memory-mb",
          "x-function-name", "x-network", "x-keep-warm", "x-max-concurrency", "x-request-id", "traceparent"}) {
      EXPECT_THAT(answer.header("Access-Control-Allow-Headers"), HasSubstr(name));
    }
    EXPECT_EQ(answer.header("Access-Control-Max-Age"), "600");
    EXPECT_EQ(answer.header("Vary"), "Origin");
    EXPECT_EQ(uuid_version(answer.header("x-request-id")), 7);
  }
}

TEST(Cors, NamedOriginsMayReadWhatAnswersSayAndRefusalsToo) {
  TestApi api({.cors_origins = {"https://dash.example"}});
  for (const int status : {200, 401}) {
    Sent sent = with_origin("https://dash.example");
    if (status == 401) sent.key = "wrong";
    const auto answer = api.send(sent);
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "https://dash.example");
    EXPECT_EQ(answer.header("Timing-Allow-Origin"), "https://dash.example");
    EXPECT_EQ(answer.header("Vary"), "Origin");
    for (const char* name : {"x-request-id", "link", "retry-after", "server-timing", "x-ratelimit-limit",
                             "x-ratelimit-remaining", "x-ratelimit-reset"}) {
      EXPECT_THAT(answer.header("Access-Control-Expose-Headers"), HasSubstr(name));
    }
  }
}

void expect_none(const Answer& answer) {
  for (const auto& [name, value] : answer.headers.all()) {
    EXPECT_FALSE(name.starts_with("Access-Control-") || name.starts_with("Timing-")) << name << ": " << value;
  }
}

TEST(Cors, OtherOriginsGetNoHeaders) {
  TestApi api({.cors_origins = {"https://dash.example"}});
  for (const char* origin : {"https://evil.example", "https://dash.example.evil", "http://dash.example", "null", ""}) {
    SCOPED_TRACE(origin);
    expect_none(api.send(with_origin(origin)));
    const auto refused = api.send(preflight(origin));
    EXPECT_GE(refused.status, 400);
    expect_none(refused);
  }
  expect_none(api.get("/functions"));
}

TEST(Cors, WithoutNamedOriginsThereIsNone) {
  TestApi api;
  expect_none(api.send(with_origin("https://dash.example")));
  const auto refused = api.send(preflight("https://dash.example"));
  EXPECT_GE(refused.status, 400);
  expect_none(refused);
}

TEST(Cors, AStarNamesThemAll) {
  TestApi api({.cors_origins = {"*"}});
  EXPECT_EQ(api.send(preflight("https://any.example")).header("Access-Control-Allow-Origin"), "https://any.example");
  EXPECT_EQ(api.send(with_origin("null")).header("Access-Control-Allow-Origin"), "null");
}

TEST(Cors, OptionsThatIsNoPreflightIsAMethodAsOthers) {
  TestApi api({.cors_origins = {"https://dash.example"}});
  const auto answer =
      api.send({.method = "OPTIONS", .target = "/functions", .headers = {{"Origin", "https://dash.example"}}});
  expect_error(answer, 405, "method_not_allowed");
  EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "https://dash.example");
}

}  // namespace
}  // namespace infra::http
