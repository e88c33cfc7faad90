// The code store against an S3 that answers as it is told: what real ones do once in a while.
#include "adapters/aws/s3/s3_code_store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "adapters/aws/auth/test_peer.h"
#include "adapters/aws/s3/s3_upload.h"
#include "adapters/system/system_clock.h"
#include "adapters/system/system_random.h"
#include "core/sha256.h"
#include "support/open_file.h"
#include "support/static_credentials.h"
#include "support/temp_folder.h"

namespace infra::aws {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBegun =
    "<InitiateMultipartUploadResult><UploadId>up+1/=</UploadId></InitiateMultipartUploadResult>";
constexpr std::string_view kUpload = "uploadId=up%2B1%2F%3D";
constexpr std::string_view kCompleted =
    "<CompleteMultipartUploadResult><ETag>&quot;all-2&quot;</ETag></CompleteMultipartUploadResult>";

class S3CodeStoreTest : public PeerTest {
 protected:
  using Answer = std::function<net::Response(const Seen& seen)>;

  // Two parts, the second one small.
  Result<void> put_large() {
    std::ofstream(folder_.path() / "staged", std::ios::binary) << large_;
    return run(store_.put_bundle({"f/1.zip", sha256_of(large_)}, folder_.path() / "staged"));
  }
  // An upload of parts that works, but for what `change` answers (status 0: as it works).
  void say_upload(Answer change) {
    peer_.say([change = std::move(change)](const Seen& seen, std::size_t) {
      auto answer = change(seen);
      if (answer.status != 0) return answer;
      if (seen.query == "uploads=") return reply(200, std::string(kBegun));
      if (seen.method == "PUT") return reply(200, "", {"ETag", "\"" + seen.query.substr(11, 1) + "\""});
      if (seen.method == "POST") return reply(200, std::string(kCompleted));
      return reply(204);
    });
  }
  [[nodiscard]] bool was_aborted() {
    const auto last = peer_.seen(peer_.count() - 1);
    return last.method == "DELETE" && last.query == kUpload;
  }

  // The object's bytes from `first` on, one part of them.
  static net::Response part_of(const std::string& object, const Seen& seen, const std::string& etag) {
    const std::string range = seen.header("Range");
    const auto first = std::stoull(range.substr(range.find('=') + 1));
    auto answer = reply(206, object.substr(first, kS3PartBytes), {"ETag", etag});
    answer.headers.add("Content-Range",
                       fmt::format("bytes {}-{}/{}", first, first + answer.body.size() - 1, object.size()));
    return answer;
  }
  Result<fs::path> fetch(const std::string& sha256) { return run(store_.fetch_bundle({"f/1.zip", sha256})); }
  bool keeps_nothing() {
    for (const auto& file : fs::recursive_directory_iterator(folder_.path() / "cache")) {
      if (file.is_regular_file()) return false;
    }
    return true;
  }

  const std::string large_ = std::string(kS3PartBytes, 'a') + "the rest";
  infra::testing::TempFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
  infra::testing::StaticCredentials credentials_{"AKID", "SECRET"};
  AwsClient s3_{{"s3", "eu-west-1", peer_.url()}, http_, credentials_, clock_, random_};
  S3CodeStore store_{s3_, "bucket", {.folder = folder_.path() / "cache"}, executor_, clock_};
};

TEST_F(S3CodeStoreTest, ALargeFileGoesInPartsThatAreNamedAtTheEnd) {
  say_upload([](const Seen&) { return reply(0); });
  ASSERT_TRUE(put_large());
  ASSERT_EQ(peer_.count(), 4U);
  EXPECT_EQ(peer_.seen(0).path, "/bucket/f/1.zip");
  EXPECT_EQ(peer_.seen(1).query, fmt::format("partNumber=1&{}", kUpload));
  EXPECT_EQ(peer_.seen(1).body.size(), kS3PartBytes);
  EXPECT_EQ(peer_.seen(2).body, "the rest");
  EXPECT_EQ(peer_.seen(2).header("x-amz-content-sha256"), sha256_of("the rest"));
  EXPECT_THAT(peer_.seen(3).body, ::testing::HasSubstr("<Part><PartNumber>1</PartNumber><ETag>\"1\"</ETag></Part>"
                                                       "<Part><PartNumber>2</PartNumber><ETag>\"2\"</ETag></Part>"));
}

TEST_F(S3CodeStoreTest, APartThatFailsEndsTheUpload) {
  say_upload([](const Seen& seen) { return reply(seen.query.starts_with("partNumber=2") ? 403 : 0); });
  EXPECT_EQ(put_large().error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(was_aborted());
}

TEST_F(S3CodeStoreTest, AFailureThatComesAsA200IsOne) {
  say_upload([](const Seen& seen) {
    if (seen.method != "POST" || seen.query == "uploads=") return reply(0);
    return reply(200, "<Error><Code>InternalError</Code></Error>");
  });
  EXPECT_EQ(put_large().error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(was_aborted());
}

TEST_F(S3CodeStoreTest, ACompletionWhoseAnswerWasLostIsNoFailure) {
  bool completed = false;
  say_upload([&](const Seen& seen) {
    if (seen.method == "HEAD") return reply(200);
    if (seen.method != "POST" || seen.query == "uploads=") return reply(0);
    return std::exchange(completed, true) ? reply(404, "<Error><Code>NoSuchUpload</Code></Error>") : reply(500);
  });
  EXPECT_TRUE(put_large());
}

// Its hash is known before its first byte goes out: AwsClient asks for credentials in between.
class ChangingCredentials final : public CredentialProvider {
 public:
  std::function<void()> change;
  Task<Result<Credentials>> get(SteadyTime) override {
    if (change) change();
    co_return Credentials{.access_key_id = "AKID", .secret_access_key = "SECRET", .session_token = ""};
  }
  void refused(const Credentials&) override {}
};

class OpenFileToS3 : public S3CodeStoreTest {
 protected:
  // As S3 does it.
  void say_s3() {
    peer_.say([](const Seen& seen, std::size_t) {
      if (seen.header("x-amz-content-sha256") == sha256_of(seen.body)) return reply(200);
      return reply(400, "<Error><Code>XAmzContentSHA256Mismatch</Code></Error>");
    });
  }
  // Of a file that is changed so between its two readings.
  Result<StoredFile> put(const std::string& bytes, std::function<void(const fs::path&)> change = {}) {
    const auto path = folder_.path() / "file";
    std::ofstream(path, std::ios::binary) << bytes;
    changing_.change = [&] {
      if (change) change(path);
    };
    auto stored = run(own_.put_file("outputs/f/r/a", infra::testing::OpenFile(path).get(), large_.size()));
    changing_.change = {};
    return stored;
  }

  ChangingCredentials changing_;
  AwsClient client_{{"s3", "eu-west-1", peer_.url()}, http_, changing_, clock_, random_};
  S3CodeStore own_{client_, "bucket", {.folder = folder_.path() / "own"}, executor_, clock_};
};

TEST_F(OpenFileToS3, IsOneRequestWhateverItsSize) {
  say_s3();
  for (const std::string& bytes : {large_, std::string("small"), std::string()}) {
    const auto before = peer_.count();
    const auto put_bytes = put(bytes);
    ASSERT_TRUE(put_bytes) << put_bytes.error().message;
    EXPECT_EQ(put_bytes->size, bytes.size());
    EXPECT_EQ(put_bytes->sha256, sha256_of(bytes));
    ASSERT_EQ(peer_.count(), before + 1);
    const auto seen = peer_.seen(before);
    EXPECT_EQ(seen.method, "PUT");
    EXPECT_EQ(seen.path, "/bucket/outputs/f/r/a");
    EXPECT_TRUE(seen.body == bytes);
    EXPECT_EQ(seen.header("Content-Length"), std::to_string(bytes.size()));
  }
}

TEST_F(OpenFileToS3, ThatIsWrittenOverMeanwhileIsRefusedByItsHash) {
  say_s3();
  const auto put_bytes = put(large_, [](const fs::path& path) { std::ofstream(path, std::ios::in) << "other"; });
  EXPECT_EQ(put_bytes.error().code, "file_changed") << put_bytes.error().message;
  EXPECT_EQ(peer_.count(), 1U);
}

TEST_F(OpenFileToS3, ThatShrinksMeanwhileIsNotSentToItsEnd) {
  say_s3();
  for (int i = 0; i < 10; ++i) {
    const auto put_bytes = put(large_, [](const fs::path& path) { fs::resize_file(path, 100'000); });
    EXPECT_EQ(put_bytes.error().code, "file_changed") << put_bytes.error().message;
  }
  EXPECT_TRUE(put("bytes")) << "it is no outage of S3's";
}

TEST_F(OpenFileToS3, ThatGrowsMeanwhileIsStoredAsItWas) {
  say_s3();
  const auto put_bytes = put("was", [](const fs::path& path) { std::ofstream(path, std::ios::app) << "more"; });
  ASSERT_TRUE(put_bytes) << put_bytes.error().message;
  EXPECT_EQ(put_bytes->size, 3U);
  EXPECT_EQ(peer_.seen(0).body, "was");
}

TEST_F(OpenFileToS3, IsSentAgainFromItsStart) {
  peer_.say([](const Seen&, std::size_t index) { return reply(index == 0 ? 500 : 200); });
  ASSERT_TRUE(put(large_));
  ASSERT_EQ(peer_.count(), 2U);
  EXPECT_TRUE(peer_.seen(1).body == large_);
}

TEST_F(OpenFileToS3, FindsS3Away) {
  peer_.say(reply(503));
  EXPECT_EQ(put("bytes").error().kind, ErrorKind::unavailable);
}

TEST_F(OpenFileToS3, IsNotSentIfItIsTooLarge) {
  EXPECT_EQ(put(large_ + "x").error().code, "object_too_large");
  EXPECT_EQ(peer_.count(), 0U);
}

TEST_F(S3CodeStoreTest, ARetiredObjectIsWrittenAnewUnderItsTag) {
  peer_.say(reply(200, "<CopyObjectResult/>"));
  ASSERT_TRUE(run(store_.retire_bundle({"f/a b.zip", ""})));
  const auto seen = peer_.seen(0);
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.path, "/bucket/f/a%20b.zip");
  EXPECT_EQ(seen.header("x-amz-copy-source"), "/bucket/f/a%20b.zip");
  EXPECT_EQ(seen.header("x-amz-tagging"), "infra=retired");
  EXPECT_EQ(seen.header("x-amz-tagging-directive"), "REPLACE");
  EXPECT_EQ(seen.header("x-amz-metadata-directive"), "REPLACE");
}

TEST_F(S3CodeStoreTest, WhatABundleWasCompiledToIsRetiredWithIt) {
  peer_.say([](const Seen&, std::size_t index) {
    return index < 2 ? aws::reply(200, "<CopyObjectResult/>")
                     : aws::reply(404, "<Error><Code>NoSuchKey</Code></Error>");
  });
  const std::string sha256(64, 'a');
  ASSERT_TRUE(run(store_.retire_bundle({"f/a.zip", sha256})));
  ASSERT_EQ(peer_.count(), 3U);
  EXPECT_EQ(peer_.seen(1).path, "/bucket/builds/2/" + sha256 + "/x86_64");
  EXPECT_EQ(peer_.seen(1).header("x-amz-tagging"), "infra=retired");
  EXPECT_EQ(peer_.seen(2).path, "/bucket/builds/2/" + sha256 + "/aarch64");
}

TEST_F(S3CodeStoreTest, AWholeObjectIsTakenWhereAPartWasAskedFor) {
  peer_.say(reply(200, large_, {"ETag", "\"1\""}));
  const auto got = fetch(sha256_of(large_));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(fs::file_size(*got), large_.size());
  EXPECT_EQ(peer_.count(), 1U);
}

TEST_F(S3CodeStoreTest, AnObjectThatIsReplacedWhileItIsReadIsNotMixed) {
  peer_.say(
      [this](const Seen& seen, std::size_t index) { return part_of(large_, seen, index == 0 ? "\"1\"" : "\"2\""); });
  EXPECT_EQ(fetch("").error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(keeps_nothing());
  EXPECT_EQ(peer_.seen(1).header("If-Match"), "\"1\"");
  peer_.say([this](const Seen& seen, std::size_t) { return part_of(large_, seen, "\"2\""); });
  ASSERT_TRUE(fetch(""));
  peer_.say(reply(304, ""));
  EXPECT_TRUE(fetch(""));
  EXPECT_EQ(peer_.seen(0).header("If-None-Match"), "\"2\"");
}

TEST_F(S3CodeStoreTest, ABundlePastTheLimitIsNotDownloaded) {
  auto answer = reply(206, "x", {"ETag", "\"1\""});
  answer.headers.add("Content-Range", fmt::format("bytes 0-0/{}", limits::kMaxPackedBytes + 1));
  peer_.say(answer);
  EXPECT_EQ(fetch("").error().code, "bundle_too_large");
  EXPECT_EQ(peer_.count(), 1U);
  EXPECT_TRUE(keeps_nothing());
}

TEST_F(S3CodeStoreTest, AnAnswerThatSaysNoSizeIsNoBundle) {
  peer_.say(reply(206, "x"));
  EXPECT_EQ(fetch(sha256_of("x")).error().kind, ErrorKind::unavailable);
  peer_.say(reply(200, ""));
  EXPECT_EQ(fetch(sha256_of("")).error().kind, ErrorKind::unavailable);
}

TEST_F(S3CodeStoreTest, ABucketOfAHostOfItsOwnHasItsNameInNoPath) {
  const std::string port = peer_.url().substr(peer_.url().rfind(':'));
  AwsClient own({"s3", "eu-west-1", "http://localhost.localhost" + port}, http_, credentials_, clock_, random_);
  S3CodeStore store(own, "localhost", {.folder = folder_.path() / "own"}, executor_, clock_);
  peer_.say(reply(200, "text"));
  const auto got = run(store.get_object("results/x.json"));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(peer_.seen(0).path, "/results/x.json");
}

}  // namespace
}  // namespace infra::aws
