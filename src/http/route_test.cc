// Both prefixes lead to the same routes, and what is no route says which methods its path has.
#include "http/route.h"

#include <gmock/gmock.h>

namespace infra::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RouterTest : public ::testing::Test {
 protected:
  Context match(std::string method, std::string path) {
    request_.method = std::move(method);
    request_.path = std::move(path);
    Context context{.request = request_, .id = {"r"}};
    router_.match(context);
    return context;
  }

  net::Request request_;
  Router router_{{{.method = "GET", .pattern = "/", .handler = {}},
                  {.method = "GET", .pattern = "/functions", .handler = {}},
                  {.method = "GET", .pattern = "/functions/:id", .handler = {}},
                  {.method = "PUT", .pattern = "/functions/:id", .handler = {}},
                  {.method = "GET", .pattern = "/functions/:id/logs/:requestId", .handler = {}},
                  {.method = "GET", .pattern = "/functions/:id/files/*name", .handler = {}}}};
};

TEST_F(RouterTest, FindsRoutesUnderBothNames) {
  const auto plain = match("GET", "/functions/a%20b/logs/r1");
  ASSERT_NE(plain.route, nullptr);
  EXPECT_EQ(plain.pattern, "/functions/:id/logs/:requestId");
  EXPECT_EQ(plain.param("id"), "a b");
  EXPECT_EQ(plain.param("requestId"), "r1");
  EXPECT_EQ(plain.prefix, "");
  const auto api = match("GET", "/api/functions");
  ASSERT_NE(api.route, nullptr);
  EXPECT_EQ(api.pattern, "/functions");
  EXPECT_EQ(api.prefix, "/api");
}

TEST_F(RouterTest, AStarTakesAllThatIsLeft) {
  for (const auto& [path, name] :
       {std::pair("/functions/f/files/a", "a"), std::pair("/api/functions/f/files/a/b%20c.txt", "a/b c.txt"),
        std::pair("/functions/f/files/a%2Fb/", "a/b")}) {
    const auto context = match("GET", path);
    ASSERT_NE(context.route, nullptr) << path;
    EXPECT_EQ(context.pattern, "/functions/:id/files/*name");
    EXPECT_EQ(context.param("name"), name);
  }
  for (const char* path : {"/functions/f/files", "/functions/f/files/", "/functions/f/files/%zz"})
    EXPECT_EQ(match("GET", path).route, nullptr) << path;
}

TEST_F(RouterTest, OneSlashAtTheEndIsIgnored) {
  for (const char* path : {"/functions/", "/api/functions/"}) {
    const auto context = match("GET", path);
    ASSERT_NE(context.route, nullptr) << path;
    EXPECT_EQ(context.pattern, "/functions");
  }
  EXPECT_EQ(match("GET", "/functions/f/").param("id"), "f");
  EXPECT_EQ(match("GET", "/").pattern, "/");
  EXPECT_EQ(match("GET", "/api/").pattern, "/");
  for (const char* path : {"/functions//", "//functions", "//", "/api", "/functions/f//logs/r"})
    EXPECT_EQ(match("GET", path).route, nullptr) << path;
}

TEST_F(RouterTest, HeadIsAnsweredByGet) {
  EXPECT_NE(match("HEAD", "/functions").route, nullptr);
}

TEST_F(RouterTest, KnowsTheMethodsOfAPath) {
  const auto context = match("POST", "/functions/x");
  EXPECT_EQ(context.route, nullptr);
  EXPECT_THAT(context.methods, ElementsAre("GET", "PUT"));
}

TEST_F(RouterTest, RefusesEverythingElse) {
  for (const char* path :
       {"", "*", "/functions//logs/r", "/api", "/apifunctions", "/functions/%zz", "/functions/a/b"}) {
    const auto context = match("GET", path);
    EXPECT_EQ(context.route, nullptr) << path;
    EXPECT_THAT(context.methods, IsEmpty()) << path;
  }
}

}  // namespace
}  // namespace infra::http
