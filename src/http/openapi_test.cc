// The description that the program carries against the table of routes that it answers by, in both directions; and how
// clients get it.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "core/function_settings.h"
#include "http/openapi_document.h"
#include "http/test_api.h"

namespace infra::http {
namespace {

using ::testing::HasSubstr;

// "GET /functions/{id}", as the document writes a route's pattern.
std::string described(const Route& route) {
  std::string path = std::string(route.method) + " ";
  std::string_view pattern = route.pattern;
  while (!pattern.empty()) {
    const auto end = pattern.find('/', 1);
    const auto segment = pattern.substr(0, end);
    const bool is_parameter = segment.starts_with("/:") || segment.starts_with("/*");
    path += is_parameter ? "/{" + std::string(segment.substr(2)) + "}" : std::string(segment);
    pattern.remove_prefix(segment.size());
  }
  return path;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

boost::json::object document() {
  return boost::json::parse(openapi_document()).as_object();
}

TEST(OpenApi, NamesTheRoutesThatThereAreAndNoOthers) {
  TestApi api;
  std::set<std::string> routes;
  for (const Route& route : api.routes()) routes.insert(described(route));
  std::set<std::string> named;
  const auto found = document();
  for (const auto& [path, methods] : found.at("paths").as_object()) {
    for (const auto& [method, operation] : methods.as_object()) named.insert(upper(method) + " " + std::string(path));
  }
  EXPECT_EQ(named, routes);
}

TEST(OpenApi, SaysOfEachRouteWhetherItNeedsTheKeyAndCountsOnTheRate) {
  TestApi api;
  const auto found = document();
  for (const Route& route : api.routes()) {
    const std::string name = described(route);
    SCOPED_TRACE(name);
    const auto space = name.find(' ');
    std::string method = name.substr(0, space);
    std::ranges::transform(method, method.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
    const auto& operation = found.at("paths").at(name.substr(space + 1)).at(method);
    EXPECT_EQ(operation.at("security").as_array().empty(), route.access != Access::key);
    EXPECT_EQ(operation.at("responses").as_object().contains("401"), route.access == Access::key);
    const std::string answers = boost::json::serialize(operation.at("responses"));
    EXPECT_EQ(answers.find("X-RateLimit-Limit") != std::string::npos, route.rate == Rate::limited);
  }
}

std::set<std::string> properties(const boost::json::object& found, std::string_view schema) {
  std::set<std::string> names;
  for (const auto& [name, about] : found.at("components").at("schemas").at(schema).at("properties").as_object())
    names.insert(std::string(name));
  return names;
}

// Those that are no setting stand beside them.
TEST(OpenApi, NamesTheSettingsThatFunctionsHave) {
  std::set<std::string> upload{"file", "deploy"};
  std::set<std::string> change{"claim"};
  std::set<std::string> headers;
  for (const auto& field : setting_fields()) {
    upload.insert(std::string(field.name));
    if (!field.header.empty()) headers.insert(std::string(field.header));
    if (field.fixed) continue;
    change.insert(std::string(field.name));
    if (!field.alias.empty()) change.insert(std::string(field.alias));
  }
  const auto found = document();
  EXPECT_EQ(properties(found, "UploadForm"), upload);
  EXPECT_EQ(properties(found, "FunctionChange"), change);
  change.insert("file");
  EXPECT_EQ(properties(found, "UpdateForm"), change);
  std::set<std::string> described_headers;
  for (const auto& parameter : found.at("paths").at("/upload").at("post").at("parameters").as_array())
    described_headers.insert(std::string(parameter.at("name").as_string()));
  EXPECT_EQ(described_headers, headers);
}

TEST(OpenApi, IsHadWithoutAKeyUnderBothPrefixes) {
  TestApi api;
  for (const char* path : {"/openapi.json", "/api/openapi.json"}) {
    const auto answer = api.send({.target = path, .key = {}});
    ASSERT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.header("Content-Type"), "application/json; charset=utf-8");
    EXPECT_EQ(answer.text("openapi"), "3.1.0");
    EXPECT_EQ(answer.json().at("info").at("version").as_string(), INFRA_VERSION);
    EXPECT_EQ(answer.body, openapi_document());
  }
}

TEST(OpenApi, IsSentOnceToWhoKeepsIt) {
  TestApi api;
  const std::string tag = api.send({.target = "/openapi.json"}).header("ETag");
  ASSERT_THAT(tag, HasSubstr("\""));
  const auto asked = [&](std::string known) {
    return api.send({.target = "/openapi.json", .headers = {{"If-None-Match", std::move(known)}}});
  };
  for (const std::string& known : {tag, "W/" + tag, "\"other\", " + tag, std::string("*")}) {
    const auto answer = asked(known);
    EXPECT_EQ(answer.status, 304) << known;
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(answer.header("ETag"), tag);
  }
  for (const std::string& known : {std::string("\"other\""), tag.substr(1, tag.size() - 2)}) {
    EXPECT_EQ(asked(known).status, 200) << known;
  }
}

}  // namespace
}  // namespace infra::http
