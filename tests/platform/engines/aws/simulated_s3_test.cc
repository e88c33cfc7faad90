// The simulated S3 as its documentation has it: whole objects or none, ranges and conditions, uploads in parts, the
// bucket's rules; and each fault alone.
#include "platform/engines/aws/simulated_s3.h"

#include <fmt/format.h>

#include "platform/engines/aws/test_world.h"

namespace infra::simulation {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;

class SimulatedS3Test : public ::testing::Test {
 protected:
  SimulatedS3Test() { world_.aws.s3().make_bucket("b"); }
  ~SimulatedS3Test() override { EXPECT_TRUE(world_.complaints.empty()); }

  static net::Headers headers(std::initializer_list<std::pair<const char*, std::string>> all) {
    net::Headers made;
    for (const auto& [name, value] : all) made.add(name, value);
    return made;
  }
  net::Response ask(const std::string& method, const std::string& path, const std::string& body = "",
                    const net::Headers& more = {}) {
    const auto answer = world_.ask_s3(method, path, body, more);
    EXPECT_TRUE(answer);
    return answer.value_or(net::Response{.status = 0, .headers = {}, .body = {}});
  }
  static std::string code(const net::Response& answer) {
    const auto open = answer.body.find("<Code>");
    return open == std::string::npos ? "" : answer.body.substr(open + 6, answer.body.find("</Code>") - open - 6);
  }
  static std::string header(const net::Response& answer, const char* name) {
    return std::string(answer.headers.find(name).value_or(""));
  }
  std::string begin(const std::string& key) {
    const auto answer = ask("POST", "/b/" + key + "?uploads=");
    const auto open = answer.body.find("<UploadId>") + 10;
    return answer.body.substr(open, answer.body.find("</UploadId>") - open);
  }
  std::string part(const std::string& key, const std::string& upload, int number, const std::string& bytes) {
    return header(ask("PUT", fmt::format("/b/{}?partNumber={}&uploadId={}", key, number, upload), bytes), "ETag");
  }
  net::Response complete(const std::string& key, const std::string& upload, const std::vector<std::string>& etags) {
    std::string xml = "<CompleteMultipartUpload>";
    for (std::size_t i = 0; i < etags.size(); ++i)
      xml += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, etags[i]);
    return ask("POST", fmt::format("/b/{}?uploadId={}", key, upload), xml + "</CompleteMultipartUpload>");
  }

  SteppedAwsWorld world_;
};

TEST_F(SimulatedS3Test, WhatIsPutIsReadByAnyAddress) {
  EXPECT_EQ(code(ask("GET", "/b/a%20b/c")), "NoSuchKey");
  const auto put = ask("PUT", "/b/a%20b/c", "bytes");
  EXPECT_EQ(put.status, 200);
  EXPECT_EQ(world_.aws.s3().objects("b").begin()->first, "a b/c");
  auto hosted = world_.request("s3", "GET", "/");
  hosted.url = "https://b.s3.eu-central-1.amazonaws.com/a%20b/c";
  EXPECT_EQ(world_.run(world_.http.send(std::move(hosted)))->body, "bytes");
  const auto head = ask("HEAD", "/b/a%20b/c");
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(header(head, "Content-Length"), "5");
  EXPECT_EQ(header(head, "ETag"), header(put, "ETag"));
  EXPECT_EQ(code(ask("GET", "/nobodys/x")), "NoSuchBucket");
  EXPECT_EQ(ask("HEAD", "/b").status, 200);
  EXPECT_EQ(ask("HEAD", "/nobodys").status, 404);
  EXPECT_EQ(ask("DELETE", "/b/a%20b/c").status, 204);
  EXPECT_EQ(ask("DELETE", "/b/a%20b/c").status, 204);
  EXPECT_EQ(ask("HEAD", "/b/a%20b/c").status, 404);
}

TEST_F(SimulatedS3Test, WhatIsNotWhatItsHashSaysIsRefused) {
  EXPECT_EQ(code(ask("PUT", "/b/k", "bytes", headers({{"x-amz-content-sha256", sha256_of("other")}}))),
            "XAmzContentSHA256Mismatch");
  EXPECT_EQ(world_.aws.s3().objects("b").size(), 0U);
  auto without = world_.request("s3", "PUT", "/b/k");
  net::Headers kept;
  for (const auto& [name, value] : without.headers.all()) {
    if (name != "x-amz-content-sha256") kept.add(name, value);
  }
  without.headers = kept;
  EXPECT_EQ(code(*world_.run(world_.http.send(std::move(without)))), "InvalidRequest");
}

TEST_F(SimulatedS3Test, RangesAndConditions) {
  const std::string etag = header(ask("PUT", "/b/k", "0123456789"), "ETag");
  const auto range = [&](const char* wanted) { return ask("GET", "/b/k", "", headers({{"Range", wanted}})); };
  EXPECT_EQ(range("bytes=2-4").status, 206);
  EXPECT_EQ(range("bytes=2-4").body, "234");
  EXPECT_EQ(header(range("bytes=2-4"), "Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(range("bytes=8-99").body, "89");
  EXPECT_EQ(code(range("bytes=10-10")), "InvalidRange");
  EXPECT_EQ(ask("GET", "/b/k", "", headers({{"If-None-Match", etag}})).status, 304);
  EXPECT_EQ(ask("GET", "/b/k", "", headers({{"If-Match", etag}})).body, "0123456789");
  ask("PUT", "/b/k", "another");
  EXPECT_EQ(code(ask("GET", "/b/k", "", headers({{"If-Match", etag}}))), "PreconditionFailed");
  EXPECT_EQ(ask("GET", "/b/k", "", headers({{"If-None-Match", etag}})).status, 200);
  ask("PUT", "/b/empty", "");
  EXPECT_EQ(code(ask("GET", "/b/empty", "", headers({{"Range", "bytes=0-9"}}))), "InvalidRange");
}

TEST_F(SimulatedS3Test, AnUploadInPartsIsSeenWhenItIsComplete) {
  const std::string big(5 * kMiB, 'x');
  const auto upload = begin("k");
  const auto one = part("k", upload, 1, big);
  const auto two = part("k", upload, 2, "end");
  EXPECT_EQ(world_.aws.s3().objects("b").size(), 0U);
  EXPECT_EQ(code(complete("k", upload, {two, one})), "InvalidPart");
  EXPECT_EQ(code(complete("k", "no such upload", {one, two})), "NoSuchUpload");
  EXPECT_EQ(code(complete("other", upload, {one, two})), "NoSuchUpload");
  EXPECT_EQ(complete("k", upload, {one, two}).status, 200);
  EXPECT_EQ(*world_.aws.s3().objects("b").at("k").bytes, big + "end");
  EXPECT_EQ(code(complete("k", upload, {one, two})), "NoSuchUpload");
  const auto small = begin("k");
  const auto first = part("k", small, 1, "small");
  const auto second = part("k", small, 2, "small");
  EXPECT_EQ(code(complete("k", small, {first, second})), "EntityTooSmall");
  EXPECT_EQ(world_.aws.s3().unfinished_uploads("b"), 1U);
  EXPECT_EQ(ask("DELETE", "/b/k?uploadId=" + small).status, 204);
  EXPECT_EQ(code(ask("DELETE", "/b/k?uploadId=" + small)), "NoSuchUpload");
  begin("left");
  world_.pass(std::chrono::hours{24});
  EXPECT_EQ(world_.aws.s3().unfinished_uploads("b"), 0U);
}

TEST_F(SimulatedS3Test, ACopyIsNewAndHasItsTag) {
  ask("PUT", "/b/results/k", "bytes");
  world_.pass(std::chrono::hours{47});
  EXPECT_EQ(code(ask("PUT", "/b/results/none", "", headers({{"x-amz-copy-source", "/b/results/none"}}))), "NoSuchKey");
  EXPECT_EQ(code(ask("PUT", "/b/results/k", "", headers({{"x-amz-copy-source", "/b/results/k"}}))), "InvalidRequest");
  const auto copied = ask("PUT", "/b/results/k", "",
                          headers({{"x-amz-copy-source", "/b/results/k"},
                                   {"x-amz-metadata-directive", "REPLACE"},
                                   {"x-amz-tagging-directive", "REPLACE"},
                                   {"x-amz-tagging", "a=b"}}));
  EXPECT_EQ(copied.status, 200);
  EXPECT_EQ(world_.aws.s3().objects("b").at("results/k").tag, "a=b");
  world_.pass(std::chrono::hours{47});
  EXPECT_EQ(ask("GET", "/b/results/k").body, "bytes");
  world_.pass(std::chrono::hours{1});
  EXPECT_EQ(ask("GET", "/b/results/k").status, 404);
}

TEST_F(SimulatedS3Test, AnAnswerOf200MayBeAFailure) {
  ask("PUT", "/b/k", "bytes");
  world_.aws.faults().s3.broken_200 = 1;
  const auto copied = ask("PUT", "/b/k", "",
                          headers({{"x-amz-copy-source", "/b/k"},
                                   {"x-amz-metadata-directive", "REPLACE"},
                                   {"x-amz-tagging-directive", "REPLACE"},
                                   {"x-amz-tagging", "a=b"}}));
  EXPECT_EQ(copied.status, 200);
  EXPECT_EQ(code(copied), "InternalError");
  EXPECT_EQ(world_.aws.s3().objects("b").at("k").tag, "");
  const auto upload = begin("other");
  const auto etag = part("other", upload, 1, "x");
  EXPECT_EQ(code(complete("other", upload, {etag})), "InternalError");
  EXPECT_FALSE(world_.aws.s3().objects("b").contains("other"));
  EXPECT_EQ(ask("GET", "/b/k").body, "bytes");  // nothing else
}

}  // namespace
}  // namespace infra::simulation
