// Bundles and objects in S3: the store's contract on a real peer, large bundles in parts, and a cache that asks once.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "adapters/aws/s3_code_store.h"
#include "adapters/aws/s3_probe.h"
#include "contract/code_store_contract.h"
#include "core/sha256.h"
#include "integration/aws_world.h"
#include "support/temp_folder.h"

namespace infra {
namespace {

namespace fs = std::filesystem;
using testing::file_text;
using testing::write_text;

class OnS3 : public AwsWorld {
 public:
  explicit OnS3(fs::path folder) : cache_(std::move(folder)) {}
  CodeStore& store() { return store_; }
  [[nodiscard]] S3CodeStore another(const fs::path& folder, std::uint64_t max_bytes = 1 << 30) {
    return {s3, bucket, {.folder = folder, .max_bytes = max_bytes}, executor, clock};
  }

  const std::string bucket = peers.make_bucket();

 private:
  const fs::path cache_;
  S3CodeStore store_{s3, bucket, {.folder = cache_}, executor, clock};
};

}  // namespace

namespace testing {
INSTANTIATE_TYPED_TEST_SUITE_P(S3, CodeStoreContract, OnS3);
}

namespace {

class S3Test : public ::testing::Test {
 protected:
  ~S3Test() override { world_.loops.stop(); }
  CodeRef put(const std::string& key, const std::string& bytes) {
    const CodeRef code{key, sha256_of(bytes)};
    EXPECT_TRUE(world_.run(world_.store().put_bundle(code, write_text(folder_.path() / "staged", bytes))));
    return code;
  }
  std::string fetch(CodeStore& store, const CodeRef& code) {
    const auto got = world_.run(store.fetch_bundle(code));
    return got ? file_text(*got) : got.error().code;
  }
  int files_below(const std::string& name) {
    int files = 0;
    for (const auto& file : fs::recursive_directory_iterator(folder_.path() / name)) files += file.is_regular_file();
    return files;
  }

  testing::TempFolder folder_;
  OnS3 world_{folder_.path() / "cache"};
};

TEST_F(S3Test, ABundleOfFiftyMebibytesTravelsInParts) {
  std::string bytes(50 * limits::kMiB, '\0');
  std::mt19937_64 random(7);  // NOLINT: a failure must repeat itself
  for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    const auto word = random();
    std::memcpy(bytes.data() + i, &word, 8);
  }
  const auto code = put("functions/f/1.zip", bytes);
  auto elsewhere = world_.another(folder_.path() / "other");
  const auto got = world_.run(elsewhere.fetch_bundle(code));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(file_text(*got) == bytes);
}

TEST_F(S3Test, WhatIsNotWhatWasUploadedIsRefused) {
  const auto code = put("functions/f/1.zip", "bundle");
  EXPECT_EQ(fetch(world_.store(), {code.key, std::string(64, 'a')}), "bundle_corrupt");
  EXPECT_EQ(fetch(world_.store(), code), "bundle");
  EXPECT_EQ(files_below("cache"), 1);  // nothing half done is left
}

TEST_F(S3Test, ABundleIsFetchedOnceAndKeptAcrossARestart) {
  const auto code = put("functions/f/1.zip", "bundle");
  EXPECT_EQ(fetch(world_.store(), code), "bundle");
  ASSERT_TRUE(world_.run(world_.store().remove_object(code.key)));
  EXPECT_EQ(fetch(world_.store(), code), "bundle");
  auto restarted = world_.another(folder_.path() / "cache");
  EXPECT_EQ(fetch(restarted, code), "bundle");
  auto elsewhere = world_.another(folder_.path() / "other");
  EXPECT_EQ(fetch(elsewhere, code), "code_not_found");
}

TEST_F(S3Test, ACodeWithoutAHashIsAskedForAgainAndNoticedWhenItChanges) {
  const auto code = put("functions/old/v1.zip", "one");
  const CodeRef nameless{code.key, ""};
  EXPECT_EQ(fetch(world_.store(), nameless), "one");
  EXPECT_EQ(fetch(world_.store(), nameless), "one");
  put("functions/old/v1.zip", "two");
  EXPECT_EQ(fetch(world_.store(), nameless), "two");
}

TEST_F(S3Test, TheCacheIsBoundedButKeepsWhatIsInUse) {
  auto small = world_.another(folder_.path() / "small", 25);
  for (int i = 0; i < 5; ++i) {
    const std::string bytes = fmt::format("bundle-{:03}", i);  // 10 bytes
    EXPECT_EQ(fetch(small, put(fmt::format("functions/f/{}.zip", i), bytes)), bytes);
  }
  EXPECT_EQ(files_below("small"), 5);
  world_.clock.advance(std::chrono::minutes{6});
  EXPECT_EQ(fetch(small, put("functions/f/9.zip", "bundle-009")), "bundle-009");
  EXPECT_EQ(files_below("small"), 2);
}

TEST_F(S3Test, ARetiredBundleCanStillBeFetched) {
  const auto code = put("functions/f/1.zip", "bundle");
  ASSERT_TRUE(world_.run(world_.store().retire_bundle(code)));
  auto elsewhere = world_.another(folder_.path() / "other");
  EXPECT_EQ(fetch(elsewhere, code), "bundle");
}

TEST_F(S3Test, ABucketThatIsNotThereIsSaidByEveryCall) {
  S3CodeStore store(world_.s3, "no-such-bucket", {.folder = folder_.path() / "none"}, world_.executor, world_.clock);
  EXPECT_EQ(world_.run(store.get_object("results/x.json")).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(world_.run(store.put_object("results/x.json", "x")).error().kind, ErrorKind::unavailable);
  S3Probe bad(world_.s3, "no-such-bucket");
  EXPECT_FALSE(world_.run(bad.probe()));
  S3Probe good(world_.s3, world_.bucket);
  EXPECT_TRUE(world_.run(good.probe()));
}

}  // namespace
}  // namespace infra
