// Functions by name: found wherever an id stands, made or replaced in one step, and what is said where that can't be.
#include <gmock/gmock.h>

#include "http/test_api.h"
#include "http/test_form.h"

namespace infra::http {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Names : public ::testing::Test {
 protected:
  Answer deploy(TestApi& api, const std::string& name, std::vector<Part> more = {}) {
    more.insert(more.end(), {{"deploy", {}, "true"}, {"file", "code.zip", "PK a bundle"}});
    if (!name.empty()) more.push_back({"name", {}, net::percent_encode(name)});
    return api.send(form_request("POST", "/upload", more));
  }
  Answer deploy(const std::string& name, std::vector<Part> more = {}) { return deploy(api_, name, std::move(more)); }
  std::string deployed(const std::string& name) { return deploy(name).text("functionId"); }
  std::string id_of(const std::string& name) {
    const auto answer = api_.get("/functions/name:" + name);
    return answer.status == 200 ? answer.text("functionId") : answer.code();
  }

  TestApi api_;
};

TEST_F(Names, OneStepMakesAndThenReplaces) {
  const auto made = deploy("resize", {{"memoryMb", {}, "256"}});
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(made.text("deployed"), "created");
  EXPECT_EQ(made.text("name"), "resize");
  const auto replaced = deploy("resize", {{"timeoutMs", {}, "5000"}});
  ASSERT_EQ(replaced.status, 200) << replaced.body;
  EXPECT_EQ(replaced.text("deployed"), "replaced");
  EXPECT_EQ(replaced.text("functionId"), made.text("functionId"));
  EXPECT_EQ(replaced.json().at("memoryMb"), 256);
  EXPECT_EQ(api_.functions.rows.begin()->second.timeout, milliseconds{5000});
  EXPECT_EQ(api_.functions.rows.size(), 1U);
  EXPECT_EQ(api_.told().front(), "Function Updated");
  EXPECT_EQ(api_.staging.files, 0);
}

TEST_F(Names, ADeploymentNeedsANameThatCanBeClaimed) {
  expect_error(deploy(""), 400, "invalid_name", "\"code\" would do");
  expect_error(deploy("my function"), 400, "invalid_name", "\"my-function\" would do");
  expect_error(deploy("a", {{"runtime", {}, "nodejs"}}), 400, "bundle_entry_missing");
  ASSERT_EQ(deploy("a").status, 200);
  expect_error(deploy("a", {{"runtime", {}, "nodejs"}}), 400, "invalid_runtime", "python");
  expect_error(api_.send(form_request("POST", "/upload", {{"deploy", {}, "yes"}, {"file", "c.zip", "PK"}})), 400,
               "invalid_deploy");
  EXPECT_EQ(api_.functions.rows.size(), 1U);
}

TEST_F(Names, WithoutDeployEveryUploadIsAFunctionOfItsOwn) {
  for (int i = 0; i < 2; ++i) {
    const auto answer = api_.send(form_request(
        "POST", "/upload", {{"deploy", {}, "false"}, {"name", {}, "a"}, {"file", "code.zip", "PK a bundle"}}));
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body.find("deployed"), std::string::npos);
  }
  EXPECT_EQ(api_.functions.rows.size(), 2U);
  EXPECT_EQ(id_of("a"), "name_not_found");
}

TEST_F(Names, EveryRouteOfAFunctionTakesItsName) {
  const std::string id = deployed("a");
  EXPECT_EQ(api_.get("/functions/name:a").text("functionId"), id);
  EXPECT_EQ(api_.get("/api/functions/name%3Aa").text("functionId"), id);
  EXPECT_EQ(api_.get("/functions/name:a/logs").status, 200);
  EXPECT_EQ(api_.get("/functions/name:a/advice").text("functionId"), id);
  expect_error(api_.get("/functions/name:a/logs/" + std::string(kUnknown)), 404, "log_not_found");
  expect_error(api_.get("/functions/name:a/logs/" + std::string(kUnknown) + "/files/f"), 404, "output_file_not_found");
  expect_error(api_.send({.method = "PUT", .target = "/functions/name:a/advice"}), 409, "nothing_to_apply");
  EXPECT_EQ(api_.send_json("PUT", "/functions/name:a", R"({"memoryMb":512})").text("functionId"), id);
  EXPECT_EQ(api_.send({.method = "DELETE", .target = "/functions/name:a"}).text("deletedId"), id);
  for (const auto& route : api_.routes()) {
    if (!route.pattern.starts_with("/functions/:id")) continue;
    std::string target(route.pattern);
    target.replace(target.find(":id"), 3, "name:none");
    for (auto at = target.find('/', 1); at != std::string::npos; at = target.find('/', at + 1)) {
      if (target[at + 1] == ':' || target[at + 1] == '*') target.replace(at + 1, 1, "x");
    }
    expect_error(api_.send({.method = std::string(route.method), .target = target}), 404, "name_not_found", "none");
  }
}

TEST_F(Names, ARunByNameIsThatOfTheId) {
  const std::string id = deployed("a");
  const auto answer = api_.run("name:a", "1");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.text("functionId"), id);
  api_.journal.calls.clear();
  const int reads = api_.configuration.reads;
  ASSERT_EQ(api_.run("name:a", "1").status, 200);
  const auto by_name = std::exchange(api_.journal.calls, {});
  ASSERT_EQ(api_.run(id, "1").status, 200);
  EXPECT_EQ(api_.journal.calls, by_name) << "the engines are asked for the same";
  EXPECT_EQ(api_.configuration.reads, reads);
  EXPECT_EQ(api_.run("name:a", "1", {{"x-async", "true"}}).status, 202);
  expect_error(api_.run("name:b", "1"), 404, "name_not_found", "\"b\"");
  expect_error(api_.run("name:", "1"), 400, "invalid_functionId");
  expect_error(api_.run("name:a b", "1"), 404, "name_not_found");
}

TEST_F(Names, ANewNameMovesTheClaimAndDeletingFreesIt) {
  const std::string a = deployed("a");
  const std::string b = deployed("b");
  expect_error(api_.send_json("PUT", "/functions/name:a", R"({"name":"b"})"), 409, "name_taken");
  expect_error(api_.send_json("PUT", "/functions/name:a", R"({"name":"not a name"})"), 400, "invalid_name",
               "not-a-name");
  ASSERT_EQ(api_.send_json("PUT", "/functions/name:a", R"({"name":"c","memoryMb":192})").status, 200);
  EXPECT_EQ(id_of("c"), a);
  EXPECT_EQ(id_of("a"), "name_not_found");
  EXPECT_EQ(api_.get("/functions/" + a).json().at("memoryMb"), 192);
  ASSERT_EQ(api_.send({.method = "DELETE", .target = "/functions/" + b}).status, 200);
  EXPECT_EQ(id_of("b"), "name_not_found");
  ASSERT_EQ(api_.send_json("PUT", "/functions/name:c", R"({"name":"b"})").status, 200);
  EXPECT_EQ(id_of("b"), a);
}

TEST_F(Names, AFunctionOfBeforeClaimsItsName) {
  api_.add_function("f").name = "my function";
  expect_error(api_.send_json("PUT", "/functions/f", R"({"claim":true})"), 400, "invalid_name", "my-function");
  expect_error(api_.send_json("PUT", "/functions/f", R"({"claim":"yes"})"), 400, "invalid_claim");
  expect_error(api_.send_json("PUT", "/functions/f", R"({"claim":false})"), 400, "nothing_to_change");
  ASSERT_EQ(api_.send_json("PUT", "/functions/f", R"({"claim":true,"name":"mine"})").status, 200);
  EXPECT_EQ(id_of("mine"), "f");
  api_.add_function("g");
  ASSERT_EQ(api_.send(form_request("PUT", "/functions/g", {{"claim", {}, "true"}})).status, 200);
  EXPECT_EQ(id_of("g"), "g");
  ASSERT_EQ(api_.send_json("PUT", "/functions/g", R"({"claim":true})").status, 200) << "it has it";
}

TEST_F(Names, WithoutATableAllButNamesWorks) {
  TestApi api({.configuration = false});
  EXPECT_EQ(api.get("/health").text("configuration"), "absent");
  EXPECT_EQ(api_.get("/health").text("configuration"), "present");
  expect_error(deploy(api, "a"), 501, "configuration_absent", "infra setup aws");
  EXPECT_THAT(api.functions.rows, IsEmpty());
  api.add_function("f");
  expect_error(api.run("name:f", "1"), 501, "configuration_absent", "aws.md");
  expect_error(api.get("/functions/name:f"), 501, "configuration_absent");
  expect_error(api.send_json("PUT", "/functions/f", R"({"claim":true})"), 501, "configuration_absent");
  EXPECT_EQ(api.run("f", "1").status, 200);
  EXPECT_EQ(api.send_json("PUT", "/functions/f", R"({"name":"any text"})").status, 200);
  EXPECT_EQ(api.send({.method = "DELETE", .target = "/functions/f"}).status, 200);
}

}  // namespace
}  // namespace infra::http
