// The signer against AWS's published vectors: some of them here, the whole suite where the folder with it is.
#include "adapters/aws/auth/sigv4.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace infra::aws {
namespace {

namespace fs = std::filesystem;

const Credentials kExample{.access_key_id = "AKIDEXAMPLE",
                           .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                           .session_token = ""};
const SigningScope kScope{
    .region = "us-east-1", .service = "service", .time = parse_iso8601("2015-08-30T12:36:00Z").value()};

struct Case {
  std::string method = "GET";
  std::string path = "/";
  std::string query{};
  net::Headers headers{};
  std::string body{};
};

Case example(std::string path = "/", std::string query = "") {
  Case made{.path = std::move(path), .query = std::move(query)};
  made.headers.add("Host", "example.amazonaws.com");
  return made;
}

Signature sign(const Case& given, const Credentials& credentials = kExample, SigningRules rules = {}) {
  const auto hash = sha256_hex(given.body);
  return sign({given.method, given.path, given.query, given.headers, hash}, credentials, kScope, rules);
}

TEST(SigV4, SignsThePublishedExample) {
  const auto signature = sign(example());
  EXPECT_EQ(signature.hex, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  EXPECT_EQ(signature.headers.find("X-Amz-Date"), "20150830T123600Z");
  EXPECT_EQ(
      signature.headers.find("Authorization"),
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
      "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST(SigV4, SendsAndSignsTheToken) {
  auto temporary = kExample;
  temporary.session_token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
  const auto signature = sign(example(), temporary);
  EXPECT_EQ(signature.hex, "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8");
  EXPECT_EQ(signature.headers.find("x-amz-security-token"), temporary.session_token);
}

TEST(SigV4, JoinsHeadersOfOneName) {
  auto given = example();
  for (const auto* value : {"value2", "value2", "value1"}) given.headers.add("My-Header1", value);
  EXPECT_EQ(sign(given).hex, "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
}

TEST(SigV4, PathsAndQueriesHaveOneForm) {
  const auto line = [](const Signature& signature, int number) {
    std::istringstream text(signature.canonical_request);
    std::string found;
    for (int i = 0; i < number; ++i) std::getline(text, found);
    return found;
  };
  EXPECT_EQ(line(sign(example("/a/./b/../c//d/")), 2), "/a/c/d/");
  EXPECT_EQ(line(sign(example("/a%20b")), 2), "/a%2520b");
  const auto s3 = signing_rules("s3");
  EXPECT_EQ(line(sign(example("/a%20b//../c"), kExample, s3), 2), "/a%20b//../c");
  EXPECT_EQ(line(sign(example("/", "b=2&a=%2f&list-type&b=1&=x&&c=a%zz")), 3), "=x&a=%2F&b=1&b=2&c=a%25zz&list-type=");
}

TEST(SigV4, S3GetsTheHashAndAnotherIsNotMadeUp) {
  const auto s3 = signing_rules("s3");
  auto given = example();
  EXPECT_EQ(sign(given, kExample, s3).headers.find("x-amz-content-sha256"), sha256_hex(""));
  given.headers.add("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  EXPECT_EQ(sign(given, kExample, s3).headers.count("x-amz-content-sha256"), 0u);
  EXPECT_FALSE(sign(example()).headers.find("x-amz-content-sha256"));
}

TEST(SigV4, WhatProxiesChangeIsNotSigned) {
  auto given = example();
  given.headers.add("User-Agent", "anything");
  given.headers.add("Connection", "keep-alive");
  EXPECT_EQ(sign(given).hex, sign(example()).hex);
}

TEST(Sha256Hex, IsLowerCase) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// A request as the suite writes it: the target may have spaces, and an indented line goes on with the header above it.
Case parse(const std::string& text) {
  Case parsed;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  parsed.method = line.substr(0, line.find(' '));
  auto target = line.substr(parsed.method.size() + 1, line.rfind(' ') - parsed.method.size() - 1);
  if (const auto mark = target.find('?'); mark != std::string::npos) {
    parsed.query = target.substr(mark + 1);
    target.resize(mark);
  }
  parsed.path = target;
  while (std::getline(lines, line) && !line.empty()) {
    if (line.front() == ' ') {
      const auto [name, value] = parsed.headers.all().back();
      parsed.headers.set(name, fmt::format("{}\n{}", value, line));
    } else {
      parsed.headers.add(line.substr(0, line.find(':')), line.substr(line.find(':') + 1));
    }
  }
  parsed.body.assign(std::istreambuf_iterator<char>(lines), {});
  return parsed;
}

std::string with_headers(std::string request, const net::Headers& added) {
  auto end = request.find("\n\n");
  if (end == std::string::npos) {
    end = request.size() - (request.ends_with('\n') ? 1 : 0);
    request = request.substr(0, end) + "\n\n";
  }
  std::string lines;
  for (const auto& [name, value] : added.all()) lines += fmt::format("{}:{}\n", name, value);
  return request.insert(end + 1, lines);
}

TEST(SigV4Suite, ReproducesEveryHeaderCase) {
  const fs::path suite = INFRA_SIGV4_SUITE;
  if (!fs::is_directory(suite)) GTEST_SKIP() << "the published test suite is not at " << suite;
  int cases = 0;
  for (const auto& folder : fs::directory_iterator(suite)) {
    SCOPED_TRACE(folder.path().filename().string());
    const auto context = boost::json::parse(read(folder.path() / "context.json")).as_object();
    const auto text = [](const boost::json::object& object, std::string_view name) {
      const auto* const value = object.if_contains(name);
      return value == nullptr ? std::string() : std::string(value->as_string());
    };
    const auto flag = [&](std::string_view name) {
      const auto* const value = context.if_contains(name);
      return value != nullptr && value->as_bool();
    };
    const auto& who = context.at("credentials").as_object();
    const Credentials credentials{.access_key_id = text(who, "access_key_id"),
                                  .secret_access_key = text(who, "secret_access_key"),
                                  .session_token = text(who, "token")};
    const auto region = text(context, "region");
    const auto service = text(context, "service");
    const auto request_text = read(folder.path() / "request.txt");
    const auto given = parse(request_text);
    const auto hash = sha256_hex(given.body);
    const auto signature =
        aws::sign({given.method, given.path, given.query, given.headers, hash}, credentials,
                  {.region = region, .service = service, .time = parse_iso8601(text(context, "timestamp")).value()},
                  {.normalize_path = flag("normalize"),
                   .send_payload_hash = flag("sign_body"),
                   .sign_token = !flag("omit_session_token")});
    EXPECT_EQ(signature.canonical_request, read(folder.path() / "header-canonical-request.txt"));
    EXPECT_EQ(signature.string_to_sign, read(folder.path() / "header-string-to-sign.txt"));
    EXPECT_EQ(signature.hex, read(folder.path() / "header-signature.txt"));
    EXPECT_EQ(with_headers(request_text, signature.headers), read(folder.path() / "header-signed-request.txt"));
    ++cases;
  }
  EXPECT_GE(cases, 38);
}

}  // namespace
}  // namespace infra::aws
