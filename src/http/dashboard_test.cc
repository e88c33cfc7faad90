// Who gets the dashboard, and with which headers.
#include <gmock/gmock.h>

#include "http/test_api.h"

namespace infra::http {
namespace {

using ::testing::HasSubstr;

constexpr const char* kBrowser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

Answer open_page(TestApi& api, std::vector<net::Header> headers = {}) {
  headers.emplace_back("Accept", kBrowser);
  return api.send({.target = "/", .headers = std::move(headers), .key = std::nullopt});
}

TEST(Dashboard, ABrowserGetsItWithoutAKeyAndAProgramTheOverview) {
  TestApi api;
  const auto page = open_page(api);
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, "<page>");
  EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.header("content-encoding"), "gzip");
  EXPECT_EQ(page.header("vary"), "Accept");
  EXPECT_EQ(page.header("cache-control"), "no-cache");
  for (const char* accept : {"*/*", "application/json"}) {
    const auto overview = api.send({.target = "/", .headers = {{"Accept", accept}}, .key = std::nullopt});
    EXPECT_EQ(overview.json().at("service"), "Infra") << accept;
  }
}

TEST(Dashboard, ItsPageRunsNothingButItsOwn) {
  TestApi api;
  const auto page = open_page(api);
  const auto policy = page.header("content-security-policy");
  for (const char* rule : {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'",
                           "form-action 'none'", "require-trusted-types-for 'script'"}) {
    EXPECT_THAT(policy, HasSubstr(rule));
  }
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_EQ(page.header("referrer-policy"), "no-referrer");
  EXPECT_EQ(page.header("x-content-type-options"), "nosniff");
}

TEST(Dashboard, FilesAreKeptByBrowsersAndTheListIsNot) {
  TestApi api;
  const auto script = api.send({.target = "/assets/main-ABC.js", .key = std::nullopt});
  EXPECT_EQ(script.body, "run()");
  EXPECT_EQ(script.header("content-type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(script.header("cache-control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(script.header("x-content-type-options"), "nosniff");
  const auto list = api.send({.target = "/api/assets/manifest.json", .key = std::nullopt});
  EXPECT_EQ(list.body, "[]");
  EXPECT_EQ(list.header("content-encoding"), "");
  EXPECT_EQ(list.header("cache-control"), "no-cache");
  for (const char* none : {"/assets/other.js", "/assets/index.html", "/assets/..%2fmain-ABC.js"}) {
    expect_error(api.send({.target = none, .key = std::nullopt}), 404, "unknown_route");
  }
}

TEST(Dashboard, WhoHasItAlreadyIsToldSo) {
  TestApi api;
  for (const char* given : {R"("page")", R"(W/"page")", R"("other", "page")"}) {
    const auto again = open_page(api, {{"If-None-Match", given}});
    EXPECT_EQ(again.status, 304) << given;
    EXPECT_EQ(again.body, "");
    EXPECT_EQ(again.header("etag"), R"("page")");
  }
  EXPECT_EQ(open_page(api, {{"If-None-Match", R"("older")"}}).status, 200);
}

}  // namespace
}  // namespace infra::http
