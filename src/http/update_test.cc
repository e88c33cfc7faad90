// PUT /functions/:id: what may be changed, by JSON or by form, and that a change that is refused changes nothing.
#include <gmock/gmock.h>

#include "http/test_api.h"
#include "http/test_form.h"

namespace infra::http {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Update : public ::testing::Test {
 protected:
  Update() { api_.add_function("f"); }
  Answer put(const std::string& json) { return api_.send_json("PUT", "/functions/f", json); }
  Answer put(const std::vector<Part>& parts, std::vector<net::Header> headers = {}) {
    return api_.send(form_request("PUT", "/functions/f", parts, std::move(headers)));
  }
  [[nodiscard]] const Function& row() { return api_.functions.rows.at({"f"}); }
  void expect_unchanged() {
    EXPECT_THAT(api_.journal.calls, Not(Contains("functions.update")));
    EXPECT_EQ(api_.staging.files, 0);
  }

  TestApi api_;
};

TEST_F(Update, TakesEveryFieldAsJson) {
  const auto answer =
      put(R"({"name":"renamed","description":"new","memoryMb":192,"timeoutMs":1000,"envVars":{"A":"b"},)"
          R"("network":"egress","keepWarm":1,"maxConcurrency":5})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json(), (boost::json::value{{"success", true}, {"functionId", "f"}}));
  EXPECT_EQ(row().name, "renamed");
  EXPECT_EQ(row().description, "new");
  EXPECT_EQ(row().memory_mb, 192);
  EXPECT_EQ(row().timeout, milliseconds{1000});
  EXPECT_EQ(row().env, (Environment{{"A", "b"}}));
  EXPECT_EQ(row().network, Network::egress);
  EXPECT_EQ(row().keep_warm, 1);
  EXPECT_EQ(row().max_concurrency, 5);
  EXPECT_EQ(api_.told().front(), "Function Updated");
  EXPECT_EQ(put(R"({"maxConcurrency":null})").status, 200);
  EXPECT_EQ(row().max_concurrency, 0);
  EXPECT_EQ(put(R"({"memoryMb":256.0})").status, 200) << "a whole number, however it is written";
  EXPECT_EQ(row().memory_mb, 256);
}

TEST_F(Update, TakesEveryFieldAsAForm) {
  ASSERT_EQ(put({{"name", {}, "any%20name"},
                 {"description", {}, ""},
                 {"memoryMb", {}, "192"},
                 {"timeoutMs", {}, "1000"},
                 {"envVars", {}, R"({"A":"b"})"},
                 {"network", {}, "egress"},
                 {"keepWarm", {}, "1"},
                 {"maxConcurrency", {}, "5"}})
                .status,
            200);
  EXPECT_EQ(row().name, "any name");
  EXPECT_EQ(row().memory_mb, 192);
  EXPECT_EQ(row().timeout, milliseconds{1000});
  EXPECT_EQ(row().env, (Environment{{"A", "b"}}));
  EXPECT_EQ(row().network, Network::egress);
  EXPECT_EQ(row().keep_warm, 1);
  EXPECT_EQ(row().max_concurrency, 5);
  ASSERT_EQ(put(std::vector<Part>{}, {{"x-memory-mb", "512"},
                                      {"x-function-name", "by%20header"},
                                      {"x-network", "none"},
                                      {"x-keep-warm", "0"},
                                      {"x-max-concurrency", "9"}})
                .status,
            200);
  EXPECT_EQ(row().memory_mb, 512);
  EXPECT_EQ(row().name, "by header");
  EXPECT_EQ(row().network, Network::none);
  EXPECT_EQ(row().keep_warm, 0);
  EXPECT_EQ(row().max_concurrency, 9);
}

TEST_F(Update, ItsMemoryHasTheDashboardsNameToo) {
  for (const auto& [given, stored] : {std::pair{32, 128}, {300, 300}, {192, 192}}) {
    EXPECT_EQ(put(R"({"memory":)" + std::to_string(given) + "}").status, 200);
    EXPECT_EQ(row().memory_mb, stored);
  }
}

TEST_F(Update, WhatIsWrongIsNamedAndNothingChanges) {
  const struct {
    const char *json, *code, *says;
  } cases[] = {
      {"{}", "nothing_to_change", "at least one of name, description"},
      {"[]", "invalid_json", ""},
      {"{", "invalid_json", "at byte 1"},
      {R"({"color":1})", "unknown_field", "\"color\""},
      {R"({"runtime":"go"})", "unknown_field", "allowed are name, description, memoryMb"},
      {R"({"memoryMb":64})", "invalid_memory", "Invalid memoryMb: it must be a whole number from 128 to 10240."},
      {R"({"memoryMb":"256"})", "invalid_memory", "memoryMb"},
      {R"({"memoryMb":128.5})", "invalid_memory", "memoryMb"},
      {R"({"memoryMb":1e99999999999})", "invalid_json", "memoryMb"},
      {R"({"memory":0})", "invalid_memory", "memory"},
      {R"({"memory":128,"memoryMb":128})", "duplicate_field", "one of the two"},
      {R"({"memoryMb":128,"memoryMb":128})", "duplicate_field", "memoryMb"},
      {R"({"envVars":{"LD_PRELOAD":"x"}})", "reserved_env_var", "LD_PRELOAD"},
      {R"({"envVars":{"1A":"x"}})", "invalid_env_vars", "1A"},
      {R"({"envVars":{"A":1}})", "invalid_env_vars", "strings"},
      {R"({"envVars":[]})", "invalid_env_vars", "object"},
      {R"({"timeoutMs":99})", "invalid_timeout", "from 100 to 900000"},
      {R"({"timeoutMs":900001})", "invalid_timeout", "from 100 to 900000"},
      {R"({"name":""})", "invalid_name", "1 to 256 bytes"},
      {R"({"name":7})", "invalid_name", "a string"},
      {R"({"description":7})", "invalid_description", "a string"},
      {R"({"keepWarm":17})", "invalid_keep_warm", "from 0 to 16"},
      {R"({"keepWarm":null})", "invalid_keep_warm", "from 0 to 16"},
      {R"({"keepWarm":"1"})", "invalid_keep_warm", "from 0 to 16"},
      {R"({"maxConcurrency":1001})", "invalid_max_concurrency", "1 to 1000"},
      {R"({"maxConcurrency":-1})", "invalid_max_concurrency", "1 to 1000"},
      {R"({"maxConcurrency":1.5})", "invalid_max_concurrency", "1 to 1000"},
      {R"({"maxConcurrency":"5"})", "invalid_max_concurrency", "1 to 1000"},
      {R"({"network":"all"})", "invalid_network", "none, egress"},
      {R"({"network":null})", "invalid_network", "string"},
      {R"({"description":"kept?","memoryMb":1})", "invalid_memory", "memoryMb"},
  };
  for (const auto& [json, code, says] : cases) {
    SCOPED_TRACE(json);
    expect_error(put(std::string(json)), 400, code, says);
  }
  expect_error(put(R"({"envVars":)" + std::string(5000, '[') + std::string(5000, ']') + "}"), 400, "invalid_json",
               "deep");
  expect_error(put(R"({"description":")" + std::string(limits::kMiB, 'x') + "\"}"), 413, "body_too_large", "1048576");
  expect_error(put(std::vector<Part>{}), 400, "nothing_to_change");
  expect_error(put({{"color", {}, "1"}}), 400, "unknown_field", "\"color\"");
  expect_error(put({{"runtime", {}, "go"}}), 400, "unknown_field", "\"runtime\"");
  expect_error(put({{"memoryMb", {}, "64"}}), 400, "invalid_memory");
  expect_error(put({{"name", {}, "%zz"}}), 400, "invalid_name");
  expect_error(
      api_.send({.method = "PUT", .target = "/functions/f", .body = "x", .headers = {{"Content-Type", "text/plain"}}}),
      415, "unsupported_media_type");
  expect_unchanged();
}

TEST_F(Update, TextIsStoredAsTextWhateverItsEscapes) {
  ASSERT_EQ(put(R"({"description":"a\ud83d","envVars":{"A":"\udc00"}})").status, 200);
  EXPECT_EQ(row().description, "a\xef\xbf\xbd");
  EXPECT_EQ(row().env.at("A"), "\xef\xbf\xbd");
  ASSERT_EQ(put("\xef\xbb\xbf{\"description\":\"x\"}").status, 200) << "a byte order mark is no reason to refuse";
}

TEST_F(Update, NewCodeTakesTheOldCodesPlace) {
  const CodeRef before = row().code;
  ASSERT_EQ(put({{"file", "new.zip", "PK"}}).status, 200);
  EXPECT_NE(row().code, before);
  EXPECT_EQ(row().code.sha256, sha256_of("PK"));
  EXPECT_EQ(api_.staging.files, 0);
  api_.bundle.entries = {};
  const CodeRef kept = row().code;
  expect_error(put({{"file", "new.zip", "no zip"}, {"memoryMb", {}, "512"}}), 400, "bundle_empty");
  EXPECT_EQ(row().code, kept);
  EXPECT_EQ(row().memory_mb, 128);
}

TEST_F(Update, AnUnknownFunctionIsToldBeforeItsBundleTravels) {
  for (const std::string& id : {std::string(kUnknown), std::string("nobody"), std::string("..%2F..%2Fetc")}) {
    const auto answer = api_.send(form_request("PUT", "/functions/" + id, {{"file", "a.zip", "PK"}}));
    EXPECT_EQ(answer.status, 404) << id;
    EXPECT_EQ(answer.code(), "function_not_found");
    EXPECT_FALSE(answer.body_was_read);
  }
  expect_unchanged();
}

}  // namespace
}  // namespace infra::http
