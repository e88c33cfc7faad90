// Who gets in: every route of the table with no key, wrong ones and the right one, under both prefixes; and what is no
// route at all.
#include <gmock/gmock.h>

#include <array>

#include "core/error_codes.h"
#include "http/test_api.h"

namespace infra::http {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::string path_of(std::string_view pattern) {
  std::string path;
  if (pattern == "/assets/:name") return "/assets/manifest.json";
  while (!pattern.empty()) {
    const auto end = pattern.find('/', 1);
    const auto segment = pattern.substr(0, end);
    path += segment.starts_with("/:") ? "/" + std::string(kUnknown) : segment.starts_with("/*") ? "/a.txt" : segment;
    pattern.remove_prefix(segment.size());
  }
  return path;
}

// What is read of each header that comes twice. Framing's own are the server's (http_server_framing_test.cc).
TEST(Access, AHeaderThatComesTwiceIsJoinedRefusedOrReadOnceAsItsMeaningAsks) {
  TestApi api;
  api.add_function("f");
  const auto twice = [&](std::string name, std::string one, std::string other) {
    Sent sent = json_request("POST", "/run", R"({"functionId":"f"})");
    if (name == "content-type") sent.headers.clear();
    if (name == "x-api-key" || name == "authorization") sent.key.reset();
    sent.headers.emplace_back(name, std::move(one));
    sent.headers.emplace_back(name, std::move(other));
    return api.send(sent);
  };
  const std::string key(kKey);
  for (const auto& [name, one, other] : std::initializer_list<std::array<std::string, 3>>{
           {"x-api-key", key, "wrong"},
           {"x-api-key", "wrong", key},
           {"x-api-key", key, key},
           {"authorization", "Bearer " + key, "Bearer wrong"},
           {"content-type", "application/json", "application/json; charset=utf-16"},
           {"x-async", "false", "true"},
           {"x-memory-mb", "128", "10240"},
           {"x-runtime", "python", "go"}}) {
    expect_error(twice(name, one, other), 400, "repeated_header", name);
  }
  expect_error(twice("Content-Encoding", "gzip", "gzip"), 415, "unsupported_content_encoding");
  EXPECT_EQ(twice("x-request-id", "one", "two").status, 200) << "it is only logged: the first";
  EXPECT_EQ(twice("accept", "a/b", "c/d").status, 200);
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const std::string parent = "00-" + trace + "-b7ad6b7169203331-01";
  EXPECT_EQ(twice("traceparent", parent, parent).status, 200);
  EXPECT_NE(trace_id_in(api.worker.jobs.back().traceparent), trace) << "several are none";
}

TEST(Access, EveryRouteNeedsTheKeyUnderBothPrefixesButThoseForAnybody) {
  TestApi api;
  std::vector<std::string> open;
  for (const Route& route : api.routes()) {
    for (const char* prefix : {"", "/api"}) {
      const std::string path = prefix + path_of(route.pattern);
      SCOPED_TRACE(std::string(route.method) + " " + path);
      Sent sent{.method = std::string(route.method), .target = path};
      const auto admitted = api.send(sent);
      EXPECT_THAT(admitted.status, Not(AnyOf(401, 405)));
      if (admitted.status == 404) EXPECT_NE(admitted.code(), "unknown_route");
      if (route.access != Access::key) {
        open.push_back(path);
        sent.key.reset();
        EXPECT_EQ(api.send(sent).status, admitted.status);
        continue;
      }
      for (const std::string& wrong :
           {std::string("wrong"), std::string(kKey) + "x", std::string("the-right-ke"), std::string()}) {
        sent.key = wrong;
        expect_error(api.send(sent), 401, "unauthorized", "key is wrong");
      }
      sent.key.reset();
      const auto refused = api.send(sent);
      expect_error(refused, 401, "unauthorized", "x-api-key");
      EXPECT_EQ(refused.header("WWW-Authenticate"), "Bearer");
      EXPECT_FALSE(refused.body_was_read);
    }
  }
  EXPECT_THAT(open, UnorderedElementsAre("/", "/api/", "/assets/manifest.json", "/api/assets/manifest.json", "/health",
                                         "/api/health", "/openapi.json", "/api/openapi.json"));
}

TEST(Access, MetricsCanBePublicAndNothingElseIsThen) {
  TestApi api({.metrics_public = true});
  for (const char* path : {"/metrics", "/api/metrics"}) EXPECT_EQ(api.send({.target = path, .key = {}}).status, 200);
  expect_error(api.send({.target = "/functions", .key = {}}), 401, "unauthorized");
}

TEST(Access, ABearerTokenIsAKeyToo) {
  TestApi api;
  const auto with = [&](const std::string& value) {
    return api.send({.target = "/functions", .headers = {{"Authorization", value}}, .key = {}}).status;
  };
  for (const char* scheme : {"Bearer ", "bearer ", "BEARER "})
    EXPECT_EQ(with(scheme + std::string(kKey)), 200) << scheme;
  for (const std::string& wrong : {"Bearer nope", "Bearer", "Bearer ", "Basic the-right-key", "the-right-key"}) {
    EXPECT_EQ(with(wrong), 401) << wrong;
  }
  // x-api-key holds where both are sent.
  EXPECT_EQ(
      api.send({.target = "/functions", .headers = {{"Authorization", "Bearer the-right-key"}}, .key = "no"}).status,
      401);
}

TEST(Access, TheKeyIsAskedForBeforeTheRouteOrTheBodyIsLookedAt) {
  TestApi api;
  for (Sent sent :
       {Sent{.method = "POST", .target = "/run", .body = "{not json", .headers = {{"Content-Type", "text/plain"}}},
        Sent{.method = "POST", .target = "/upload", .body = "x", .headers = {{"Content-Type", "nonsense"}}},
        Sent{.target = "/no/such/route"}, Sent{.method = "PATCH", .target = "/functions"}}) {
    for (const auto& key : {std::optional<std::string>(), std::optional<std::string>("no")}) {
      sent.key = key;
      const auto answer = api.send(sent);
      expect_error(answer, 401, "unauthorized");
      EXPECT_FALSE(answer.body_was_read);
    }
  }
}

TEST(Access, UnknownRoutesAndMethodsAreTold) {
  TestApi api;
  for (const char* path :
       {"/nope", "/api", "/api/api/run", "/functions/a/b/c/d", "/functions//", "/status/", "//run", "/apirun"}) {
    SCOPED_TRACE(path);
    expect_error(api.get(path), 404, "unknown_route");
  }
  const auto allow = [&](const char* method, const char* path) {
    const auto answer = api.send({.method = method, .target = path});
    expect_error(answer, 405, "method_not_allowed", answer.header("Allow"));
    return answer.header("Allow");
  };
  EXPECT_EQ(allow("PATCH", "/functions"), "GET");
  EXPECT_EQ(allow("GET", "/run"), "POST");
  EXPECT_EQ(allow("HEAD", "/api/upload"), "POST");
  EXPECT_EQ(allow("OPTIONS", "/functions/f"), "GET, PUT, DELETE");
  EXPECT_EQ(allow("DELETE", "/functions/f/advice"), "GET, PUT");
  EXPECT_EQ(allow("POST", "/"), "GET");
}

TEST(Access, ASlashAtTheEndChangesNothing) {
  TestApi api;
  for (const char* prefix : {"", "/api"}) {
    for (const char* path : {"/functions/", "/health/", "/workers/", "/metrics/"}) {
      EXPECT_EQ(api.get(prefix + std::string(path)).status, 200) << prefix << path;
    }
    const auto run = api.send_json("POST", prefix + std::string("/run/"), R"({"functionId":"none"})");
    EXPECT_EQ(run.code(), "function_not_found");
    expect_error(api.send({.target = prefix + std::string("/functions/"), .key = {}}), 401, "unauthorized");
  }
  const auto metrics = api.get("/metrics").body;
  EXPECT_THAT(metrics, HasSubstr(R"(route="/functions")"));
  EXPECT_THAT(metrics, Not(HasSubstr(R"(route="/functions/")")));
}

TEST(Access, HeadIsAnsweredByGet) {
  TestApi api;
  EXPECT_EQ(api.send({.method = "HEAD", .target = "/health", .key = {}}).status, 200);
  EXPECT_EQ(api.send({.method = "HEAD", .target = "/functions"}).status, 200);
  EXPECT_EQ(api.send({.method = "HEAD", .target = "/nope"}).status, 404);
}

TEST(Access, EveryAnswerHasAnIdOfOurs) {
  TestApi api;
  std::set<std::string> seen;
  for (Sent sent : {Sent{.target = "/health", .key = {}}, Sent{.target = "/nope"},
                    Sent{.target = "/functions", .key = {}}, Sent{.method = "PATCH", .target = "/run"},
                    Sent{.target = "/functions"}, Sent{.method = "POST", .target = "/run"}}) {
    sent.headers.emplace_back("x-request-id", kUnknown);
    const auto answer = api.send(sent);
    EXPECT_EQ(uuid_version(answer.header("x-request-id")), 7);
    EXPECT_EQ(answer.headers.count("x-request-id"), 1U);
    EXPECT_NE(answer.header("x-request-id"), kUnknown);
    seen.insert(answer.header("x-request-id"));
  }
  EXPECT_EQ(seen.size(), 6U);
}

TEST(Access, WhatNeverWasARequestIsAnsweredAndCounted) {
  TestApi api;
  auto refused = api.refuse({errors::invalid_request, "This is no HTTP."});
  const Answer answer{refused.status, refused.headers, refused.body};
  expect_error(answer, 400, "invalid_request");
  EXPECT_THAT(api.get("/metrics").body,
              HasSubstr(R"(http_requests_total{method="other",route="unparsed",status_code="400"} 1)"));
}

TEST(Access, TheRootSaysWhereToGo) {
  TestApi api;
  for (const char* path : {"/", "/api/"}) {
    for (const char* accept : {"*/*", "application/json", "text/plain"}) {
      const auto answer = api.send({.target = path, .headers = {{"Accept", accept}}, .key = {}});
      ASSERT_EQ(answer.status, 200);
      EXPECT_EQ(answer.header("Content-Type"), "application/json; charset=utf-8");
      EXPECT_EQ(answer.text("status"), "OK");
      EXPECT_EQ(answer.text("version"), INFRA_VERSION);
      EXPECT_EQ(answer.text("service"), "Infra");
      std::map<std::string, std::string> endpoints;
      const auto body = answer.json();
      for (const auto& [name, target] : body.at("endpoints").as_object()) {
        endpoints[name] = target.as_string().c_str();
        EXPECT_THAT(api.get(endpoints[name]).status, AnyOf(200, 404, 405)) << endpoints[name];
        if (endpoints[name].find(':') == std::string::npos) EXPECT_NE(api.get(endpoints[name]).status, 404);
      }
      EXPECT_THAT(endpoints, IsSupersetOf({Pair("health", "/health"), Pair("metrics", "/metrics"),
                                           Pair("functions", "/api/functions"), Pair("workers", "/api/workers")}));
    }
  }
}

TEST(WorkerRoutes, AreHealthAndMetricsAndWithAKeyTheLog) {
  for (const bool has_key : {false, true}) {
    for (const bool metrics_public : {false, true}) {
      fakes::InlineExecutor executor;
      ManualClock clock;
      Metrics metrics;
      EventRing events{UuidRandom{}, [&] { return clock.now(); }};
      app::HealthMonitor health({}, std::chrono::seconds(1), executor, clock);
      MonitoringHandler monitoring(health, metrics, events, {.draining = [] { return false; }, .gauges = {}});
      std::map<std::string_view, Access> routes;
      for (const auto& route : worker_routes(monitoring, has_key, metrics_public)) routes[route.pattern] = route.access;
      EXPECT_EQ(routes.at("/health"), Access::health);
      EXPECT_EQ(routes.at("/metrics"), has_key && !metrics_public ? Access::key : Access::open);
      EXPECT_EQ(routes.contains("/logs"), has_key);
      if (has_key) EXPECT_EQ(routes.at("/logs"), Access::key);
      EXPECT_EQ(routes.size(), has_key ? 3U : 2U);
    }
  }
}

}  // namespace
}  // namespace infra::http
