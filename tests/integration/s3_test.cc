// Bundles and objects in S3: the store's contract on a real peer, large bundles in parts, and a cache that asks once.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <cstring>
#include <fstream>
#include <random>
#include <stdexcept>

#include "adapters/aws/s3/s3_code_store.h"
#include "adapters/aws/s3/s3_probe.h"
#include "adapters/aws/s3/s3_upload.h"
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
  ~OnS3() override { loops.stop(); }
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

// Of this process, in bytes: what is resident now, and the most that has been since forget_peak().
std::uint64_t memory(std::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string name, rest; status >> name && std::getline(status, rest);) {
    if (name == field) return std::stoull(rest) * 1024;
  }
  throw std::runtime_error("no such field in /proc/self/status");
}
void forget_peak() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

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
  // That S3 has had so far.
  int requests() {
    const auto said = world_.run(world_.http.send({.url = world_.peers.s3_endpoint() + "/__gate"}));
    return static_cast<int>(boost::json::parse(said.value().body).at("passed").as_int64());
  }

  testing::TempFolder folder_;
  OnS3 world_{folder_.path() / "cache"};
};

TEST_F(S3Test, ABundleOfFiftyMebibytesTravelsInParts) {
  constexpr int kParts = (50 * limits::kMiB + aws::kS3PartBytes - 1) / aws::kS3PartBytes;
  CodeRef code{"functions/f/1.zip", ""};
  const auto staged = folder_.path() / "staged";
  {
    std::ofstream file(staged, std::ios::binary);
    std::mt19937_64 random(7);  // NOLINT: a failure must repeat itself
    Sha256 hash;
    std::string mebibyte(limits::kMiB, '\0');
    for (int i = 0; i < 50; ++i) {
      for (std::size_t at = 0; at < mebibyte.size(); at += 8) {
        const auto word = random();
        std::memcpy(mebibyte.data() + at, &word, 8);
      }
      hash.add(mebibyte);
      file << mebibyte;
    }
    code.sha256 = hash.finish();
  }
  forget_peak();
  const auto before = memory("VmRSS:");
  const int asked = requests();
  const auto put = world_.run(world_.store().put_bundle(code, staged));
  ASSERT_TRUE(put) << put.error().message;
  EXPECT_EQ(requests() - asked, 2 + kParts);  // begun, the parts, completed
  auto elsewhere = world_.another(folder_.path() / "other");
  const auto got = world_.run(elsewhere.fetch_bundle(code));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(requests() - asked, 2 + 2 * kParts);
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  EXPECT_LT(memory("VmHWM:") - before, 40 * limits::kMiB);
#else
  (void)before;
#endif
  EXPECT_EQ(sha256_of(file_text(*got)), code.sha256);
}

TEST_F(S3Test, ManyWhoWantABundleShareOneDownload) {
  const auto code = put("functions/f/1.zip", "bundle");
  const int asked = requests();
  std::atomic<int> left = 20;
  std::atomic<int> good = 0;
  const auto want = [](CodeStore& store, CodeRef wanted, std::atomic<int>& count,
                       std::atomic<int>& open) -> Task<void> {
    const auto got = co_await store.fetch_bundle(wanted);
    count += got ? 1 : 0;
    if (--open == 0) open.notify_all();
  };
  for (int i = 0; i < 20; ++i) world_.spawn(want(world_.store(), code, good, left));
  for (int seen = left; seen > 0; seen = left) left.wait(seen);
  EXPECT_EQ(good, 20);
  EXPECT_EQ(requests() - asked, 1);
}

TEST_F(S3Test, WhatIsNotWhatWasUploadedIsRefused) {
  const auto code = put("functions/f/1.zip", "bundle");
  EXPECT_EQ(fetch(world_.store(), {code.key, std::string(64, 'a')}), "bundle_corrupt");
  EXPECT_EQ(fetch(world_.store(), code), "bundle");
  EXPECT_EQ(files_below("cache"), 1);  // nothing half done is left
  EXPECT_EQ(fetch(world_.store(), {"functions/none.zip", ""}), "code_not_found");
}

TEST_F(S3Test, ABundleIsFetchedOnceAndKeptAcrossARestart) {
  const auto code = put("functions/f/1.zip", "bundle");
  EXPECT_EQ(fetch(world_.store(), code), "bundle");
  const int asked = requests();
  EXPECT_EQ(fetch(world_.store(), code), "bundle");
  write_text(folder_.path() / "cache" / "incoming" / "upload-0", "half a bundle");
  write_text(folder_.path() / "cache" / "note.txt", "no bundle");
  auto restarted = world_.another(folder_.path() / "cache");
  EXPECT_EQ(fetch(restarted, code), "bundle");
  EXPECT_EQ(requests(), asked);
  EXPECT_EQ(files_below("cache"), 1);
  ASSERT_TRUE(world_.run(world_.store().remove_object(code.key)));
  auto elsewhere = world_.another(folder_.path() / "other");
  EXPECT_EQ(fetch(elsewhere, code), "code_not_found");
}

TEST_F(S3Test, ACodeWithoutAHashIsAskedForAgainAndNoticedWhenItChanges) {
  const auto code = put("functions/old/v1.zip", "one");
  const CodeRef nameless{code.key, ""};
  const auto first = world_.run(world_.store().fetch_bundle(nameless));
  EXPECT_EQ(file_text(*first), "one");
  const auto written = fs::last_write_time(*first);
  const int asked = requests();
  EXPECT_EQ(world_.run(world_.store().fetch_bundle(nameless)).value(), *first);
  EXPECT_EQ(requests() - asked, 1);
  EXPECT_EQ(fs::last_write_time(*first), written);  // S3 said that it is the same
  put("functions/old/v1.zip", "two");
  EXPECT_EQ(fetch(world_.store(), nameless), "two");
  EXPECT_EQ(file_text(*first), "one");  // whoever reads it still is not disturbed
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

TEST_F(S3Test, ABundleThatWasTidiedAwayIsFetchedAgain) {
  const auto code = put("functions/f/1.zip", "bundle");
  const auto got = world_.run(world_.store().fetch_bundle(code));
  fs::remove(*got);
  EXPECT_EQ(fetch(world_.store(), code), "bundle");
}

TEST_F(S3Test, AKeyWithAnyCharacterIsFound) {
  const auto code = put("functions/old/mein Skript +%&?#\xc3\xa4.zip", "bundle");
  EXPECT_EQ(fetch(world_.store(), code), "bundle");
  ASSERT_TRUE(world_.run(world_.store().retire_bundle(code)));
}

TEST_F(S3Test, ALargeObjectComesBackWhole) {
  const std::string payload(10 * limits::kMiB, 'x');
  ASSERT_TRUE(world_.run(world_.store().put_object("payloads/r.json", payload)));
  EXPECT_TRUE(world_.run(world_.store().get_object("payloads/r.json")).value() == payload);
}

TEST_F(S3Test, AnOpenFileIsNeverInMemory) {
  const std::uint64_t size = 10 * limits::kMiB;
  const auto path = write_text(folder_.path() / "file", "");
  fs::resize_file(path, size);
  const testing::OpenFile file(path);
  ASSERT_TRUE(world_.run(world_.store().put_file("outputs/f/r/first", file.get(), size)));
  forget_peak();
  const auto before = memory("VmRSS:");
  const int asked = requests();
  const auto put = world_.run(world_.store().put_file("outputs/f/r/a", file.get(), size));
  ASSERT_TRUE(put) << put.error().message;
  EXPECT_EQ(put->size, size);
  EXPECT_EQ(requests() - asked, 1);
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  EXPECT_LT(memory("VmHWM:"), before + 2 * limits::kMiB);
#else
  (void)before;
#endif
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
  const testing::OpenFile file(write_text(folder_.path() / "file", "x"));
  EXPECT_EQ(world_.run(store.put_file("outputs/f/r/x", file.get(), 1)).error().kind, ErrorKind::unavailable);
  S3Probe bad(world_.s3, "no-such-bucket");
  EXPECT_FALSE(world_.run(bad.probe()));
  S3Probe good(world_.s3, world_.bucket);
  EXPECT_TRUE(world_.run(good.probe()));
}

}  // namespace
}  // namespace infra
