// Uploads: each field of the form and its header, their bounds and what is said past them; and that a refusal leaves
// nothing behind. What a ZIP may hold is the bundle reader's affair (tests/contract/bundle_reader_contract.h).
#include <gmock/gmock.h>

#include "http/test_api.h"
#include "http/test_form.h"

namespace infra::http {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kZip = "PK what the reader says is a bundle";

class Upload : public ::testing::Test {
 protected:
  Answer upload(std::vector<Part> parts, std::vector<net::Header> headers = {}) {
    return api_.send(form_request("POST", "/upload", parts, std::move(headers)));
  }
  Answer upload_with(const std::string& field, const std::string& value) {
    return upload({{field, {}, value}, {"file", "code.zip", kZip}});
  }
  Answer upload_under(const std::string& header, const std::string& value) {
    return upload({{"file", "code.zip", kZip}}, {{header, value}});
  }
  void expect_nothing_left() {
    EXPECT_THAT(api_.functions.rows, IsEmpty());
    EXPECT_EQ(api_.staging.files, 0);
    EXPECT_THAT(api_.told(), ::testing::Each(HasSubstr("Request Refused: POST /upload")));
  }
  [[nodiscard]] const Function& only() const { return api_.functions.rows.begin()->second; }

  TestApi api_;
};

TEST_F(Upload, IsAFunctionWithItsDefaults) {
  const auto answer = upload({{"file", "my code.zip", kZip}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json(), (boost::json::value{{"success", true},
                                               {"functionId", only().id.value},
                                               {"name", "my code"},
                                               {"runtime", "python"},
                                               {"memoryMb", 128},
                                               {"codeSha256", sha256_of(kZip)}}));
  EXPECT_EQ(uuid_version(only().id.value), 7);
  EXPECT_EQ(only().original_name, "my code.zip");
  EXPECT_TRUE(only().code.key.starts_with("functions/" + only().id.value + "/"));
  EXPECT_EQ(only().code.sha256, sha256_of(kZip));
  EXPECT_EQ(api_.told().front(), "Upload Success");
  EXPECT_EQ(api_.staging.files, 0);
}

TEST_F(Upload, EveryFieldInAnyOrder) {
  const std::vector<Part> fields = {
      {"runtime", {}, "python"},  {"memoryMb", {}, "200"},         {"name", {}, "any%20order"},
      {"description", {}, "äöü"}, {"envVars", {}, R"({"A":"1"})"}, {"timeoutMs", {}, "5000"},
      {"network", {}, "none"},    {"keepWarm", {}, "3"},           {"maxConcurrency", {}, "7"}};
  const Part file{"file", "code.zip", kZip};
  for (const std::size_t at : {std::size_t{0}, std::size_t{3}, fields.size()}) {
    api_.functions.rows.clear();
    auto parts = fields;
    parts.insert(parts.begin() + static_cast<std::ptrdiff_t>(at), file);
    ASSERT_EQ(upload(parts).status, 200);
    const Function& made = only();
    EXPECT_EQ(made.memory_mb, 200);
    EXPECT_EQ(made.name, "any order");
    EXPECT_EQ(made.description, "äöü");
    EXPECT_EQ(made.env, (Environment{{"A", "1"}}));
    EXPECT_EQ(made.timeout, milliseconds{5000});
    EXPECT_EQ(made.network, Network::none);
    EXPECT_EQ(made.keep_warm, 3);
    EXPECT_EQ(made.max_concurrency, 7);
  }
}

TEST_F(Upload, HeadersSayTheSameAndHoldOverFields) {
  api_.bundle.entries = {{.name = "index.js"}};
  const auto answer = upload({{"memoryMb", {}, "512"}, {"name", {}, "field"}, {"file", "code.zip", kZip}},
                             {{"x-runtime", "nodejs"},
                              {"x-memory-mb", "256"},
                              {"x-function-name", "gr%C3%B6%C3%9Fe%20%26%20Co"},
                              {"x-network", "egress"},
                              {"x-keep-warm", "16"},
                              {"x-max-concurrency", "1000"}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(only().runtime, Runtime::nodejs);
  EXPECT_EQ(only().memory_mb, 256);
  EXPECT_EQ(only().name, "größe & Co");
  EXPECT_EQ(only().network, Network::egress);
  EXPECT_EQ(only().keep_warm, 16);
  EXPECT_EQ(only().max_concurrency, 1000);
}

TEST_F(Upload, TheBoundsAreInside) {
  const std::string long_name(256, 'n');
  const std::string long_text(4096, 'd');
  for (const auto& [field, value] : std::vector<std::pair<std::string, std::string>>{{"memoryMb", "128"},
                                                                                     {"memoryMb", "10240"},
                                                                                     {"timeoutMs", "100"},
                                                                                     {"timeoutMs", "900000"},
                                                                                     {"keepWarm", "0"},
                                                                                     {"keepWarm", "16"},
                                                                                     {"maxConcurrency", "0"},
                                                                                     {"maxConcurrency", "1"},
                                                                                     {"maxConcurrency", "1000"},
                                                                                     {"name", long_name},
                                                                                     {"description", long_text},
                                                                                     {"envVars", "{}"}}) {
    EXPECT_EQ(upload_with(field, value).status, 200) << field << ' ' << value.substr(0, 20);
  }
}

TEST_F(Upload, PastThemEachFieldSaysWhatIsAllowed) {
  const std::string too_many(33 * 1024, 'v');
  const struct {
    std::string field, value, code, says;
  } cases[] = {
      {"runtime", "cobol", "invalid_runtime", "python, nodejs, cpp, go"},
      {"runtime", "Python", "invalid_runtime", "python, nodejs, cpp, go"},
      {"memoryMb", "127", "invalid_memory", "from 128 to 10240"},
      {"memoryMb", "10241", "invalid_memory", "from 128 to 10240"},
      {"memoryMb", "128.5", "invalid_memory", "memoryMb"},
      {"memoryMb", "1e3", "invalid_memory", "memoryMb"},
      {"memoryMb", "-128", "invalid_memory", "memoryMb"},
      {"memoryMb", " 256", "invalid_memory", "memoryMb"},
      {"memoryMb", "lots", "invalid_memory", "memoryMb"},
      {"memoryMb", "99999999999999999999", "invalid_memory", "memoryMb"},
      {"timeoutMs", "99", "invalid_timeout", "from 100 to 900000"},
      {"timeoutMs", "900001", "invalid_timeout", "from 100 to 900000"},
      {"keepWarm", "17", "invalid_keep_warm", "from 0 to 16"},
      {"keepWarm", "-1", "invalid_keep_warm", "from 0 to 16"},
      {"maxConcurrency", "1001", "invalid_max_concurrency", "from 1 to 1000"},
      {"maxConcurrency", "-1", "invalid_max_concurrency", "from 1 to 1000"},
      {"maxConcurrency", "many", "invalid_max_concurrency", "from 1 to 1000"},
      {"network", "all", "invalid_network", "none, egress"},
      {"network", "Egress", "invalid_network", "none, egress"},
      {"name", "%zz", "invalid_name", "percent-encoded"},
      {"name", "%ff", "invalid_name", "UTF-8"},
      {"name", "a%0Ab", "invalid_name", "control characters"},
      {"name", std::string(257, 'n'), "invalid_name", "1 to 256 bytes"},
      {"description", std::string(4097, 'd'), "invalid_description", "at most 4096 bytes"},
      {"description", "\xff", "invalid_description", "UTF-8"},
      {"envVars", "{", "invalid_env_vars", "JSON object"},
      {"envVars", "[]", "invalid_env_vars", "JSON object"},
      {"envVars", R"({"A":1})", "invalid_env_vars", "strings"},
      {"envVars", R"({"a-b":"x"})", "invalid_env_vars", "a-b"},
      {"envVars", R"({"LD_PRELOAD":"x"})", "reserved_env_var", "LD_PRELOAD"},
      {"envVars", R"({"PAYLOAD":"x"})", "reserved_env_var", "PAYLOAD"},
      {"envVars", R"({"A":")" + too_many + R"("})", "invalid_env_vars", "at most 32768 bytes"},
  };
  for (const auto& [field, value, code, says] : cases) {
    SCOPED_TRACE(field + " = " + value.substr(0, 40));
    expect_error(upload_with(field, value), 400, code, says);
  }
  const std::map<std::string, std::string> headers = {
      {"runtime", "x-runtime"}, {"memoryMb", "x-memory-mb"}, {"name", "x-function-name"},
      {"network", "x-network"}, {"keepWarm", "x-keep-warm"}, {"maxConcurrency", "x-max-concurrency"}};
  for (const auto& [field, value, code, says] : cases) {
    if (!headers.contains(field)) continue;
    SCOPED_TRACE(headers.at(field) + ": " + value.substr(0, 40));
    expect_error(upload_under(headers.at(field), value), 400, code, says);
  }
  expect_nothing_left();
}

TEST_F(Upload, PresentButEmptyIsAMistakeAndNoWishForTheDefault) {
  for (const char* field : {"runtime", "memoryMb", "timeoutMs", "envVars", "name", "description", "network", "keepWarm",
                            "maxConcurrency"}) {
    expect_error(upload_with(field, ""), 400, "empty_field", field);
  }
  for (const char* header :
       {"x-runtime", "x-memory-mb", "x-function-name", "x-network", "x-keep-warm", "x-max-concurrency"}) {
    expect_error(upload_under(header, ""), 400, "empty_field", header);
  }
  expect_nothing_left();
}

TEST_F(Upload, TakesOneFileInTheFieldFile) {
  expect_error(upload({{"bundle", "code.zip", kZip}}), 400, "wrong_file_field", "\"file\", not \"bundle\"");
  expect_error(upload({}), 400, "file_missing", "\"file\"");
  expect_error(upload({{"runtime", {}, "python"}}), 400, "file_missing", "\"file\"");
  expect_error(upload({{"file", "a.zip", kZip}, {"file", "b.zip", kZip}}), 400, "duplicate_file", "two");
  expect_error(upload({{"file", "a.zip", kZip}, {"more", "b.zip", kZip}}), 400, "wrong_file_field", "\"more\"");
  expect_error(upload({{"name", {}, "a"}, {"name", {}, "b"}, {"file", "a.zip", kZip}}), 400, "duplicate_field",
               "\"name\"");
  expect_error(upload({{"name", {}, std::string(65 * 1024, 'x')}, {"file", "a.zip", kZip}}), 413, "field_too_large");
  expect_nothing_left();
}

TEST_F(Upload, WhatIsNoFormIsRefused) {
  const std::string body = form_body({{"file", "code.zip", kZip}});
  const auto send = [&](std::string bytes, const std::string& type) {
    std::vector<net::Header> headers;
    if (!type.empty()) headers.emplace_back("Content-Type", type);
    return api_.send({.method = "POST", .target = "/upload", .body = std::move(bytes), .headers = headers});
  };
  for (const char* type :
       {"", "application/zip", "application/json", "multipart/form-data", R"(multipart/form-data; boundary=")"}) {
    expect_error(send(body, type), 415, "unsupported_media_type", "");
  }
  const std::string type(kFormType);
  for (const std::string& broken :
       {body.substr(0, body.size() - 20), std::string(),
        "--" + std::string(kBoundary) + "\r\nno header here\r\n\r\n--" + std::string(kBoundary) + "--\r\n"}) {
    EXPECT_EQ(send(broken, type).status, 400) << broken.substr(0, 80);
  }
  EXPECT_EQ(send(body, "multipart/form-data; boundary=other").status, 400);
  expect_nothing_left();
}

TEST_F(Upload, FiftyMebibytesAreTheMost) {
  constexpr std::uint64_t kMost = limits::kMaxPackedBytes;
  const std::vector<Part> small = {{"file", "code.zip", kZip}};
  auto announced = form_request("POST", "/upload", small);
  announced.announced = kMost + 2 * limits::kMiB;
  const auto refused = api_.send(announced);
  expect_error(refused, 413, "bundle_too_large", "50 MiB");
  EXPECT_FALSE(refused.body_was_read);
  // The same without a length in advance: found out on the way.
  auto chunked = form_request("POST", "/upload", {{"file", "code.zip", std::string(kMost + 1, '\0')}});
  chunked.chunked = true;
  expect_error(api_.send(chunked), 413, "bundle_too_large", "50 MiB");
  expect_nothing_left();
  auto most = form_request("POST", "/upload", {{"file", "code.zip", std::string(kMost, '\0')}});
  EXPECT_EQ(api_.send(most).status, 200);
}

TEST_F(Upload, ABundleThatIsRefusedLeavesNothing) {
  api_.bundle.entries = {{.name = "other.py"}};
  expect_error(upload({{"file", "code.zip", kZip}}), 400, "bundle_entry_missing", "main.py");
  api_.bundle.entries = {{.name = "main.py"}};
  expect_error(upload({{"file", "code.zip", kZip}}, {{"x-runtime", "nodejs"}}), 400, "bundle_entry_missing",
               "index.js");
  expect_error(upload({{"file", "code.zip", kZip}}, {{"x-runtime", "cpp"}}), 400, "bundle_entry_missing", "main.cpp");
  api_.bundle.entries = {};
  expect_error(upload({{"file", "code.zip", kZip}}), 400, "bundle_empty", "empty");
  expect_nothing_left();
}

TEST_F(Upload, ARowThatCannotBeWrittenIsA503) {
  api_.journal.failing = "functions.insert";
  expect_error(upload({{"file", "code.zip", kZip}}), 503, "engine_unavailable");
  EXPECT_EQ(api_.staging.files, 0);
}

}  // namespace
}  // namespace infra::http
