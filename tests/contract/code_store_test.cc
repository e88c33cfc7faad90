// CodeStore's contract on its adapters, and what only files promise: one file a bundle, and sweeping that takes none in
// use.
#include <atomic>
#include <thread>

#include "adapters/files/file_code_store.h"
#include "adapters/files/file_code_store_probe.h"
#include "contract/code_store_contract.h"
#include "core/error_codes.h"
#include "core/executable.h"
#include "core/ids.h"
#include "core/limits.h"
#include "core/object_keys.h"
#include "support/fake_code_use.h"
#include "support/inline_executor.h"
#include "support/manual_clock.h"
#include "support/open_file.h"
#include "support/run_task.h"

namespace infra::testing {
namespace {

struct Files {
  explicit Files(const std::filesystem::path& data) : store_(data, executor, clock, use, use) {}
  CodeStore& store() { return store_; }
  template <typename T>
  T run(Task<T> task) {
    return run_task(std::move(task));
  }
  fakes::InlineExecutor executor;
  ManualClock clock;
  FakeCodeUse use;
  FileCodeStore store_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Files, CodeStoreContract, Files);

class FileCodeStoreTest : public ::testing::Test {
 protected:
  TempFolder folder_;
  Files files_{folder_.path()};
  FileCodeStore& store_ = files_.store_;
  FakeCodeUse& use_ = files_.use;
  const CodeRef code_{"functions/f/1.zip", kShaA};

  void put(const CodeRef& code) {
    ASSERT_TRUE(run_task(store_.put_bundle(code, write_text(folder_.path() / "staged", "bundle"))).has_value());
  }
  void sweep() {
    run_task([](FileCodeStore& store, WallTime now) -> Task<bool> {
      co_await store.sweep(now);
      co_return true;
    }(store_, files_.clock.now()));
  }
  bool is_there(const CodeRef& code) { return run_task(store_.fetch_bundle(code)).has_value(); }
  void pass_grace() { files_.clock.advance(FileCodeStore::kGrace + milliseconds{1}); }
};

TEST_F(FileCodeStoreTest, EqualBundlesAreOneFile) {
  put(code_);
  put({"functions/g/1.zip", kShaA});
  const std::filesystem::directory_iterator files(folder_.path() / "code");
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "staged"));
}

TEST_F(FileCodeStoreTest, ARetiredBundleGoesOnceItIsUnused) {
  put(code_);
  use_.set_user(kShaA, CodeUser::function);
  pass_grace();
  sweep();
  EXPECT_FALSE(use_.is_listed(kShaA));  // no candidate any more
  ASSERT_TRUE(run_task(store_.retire_bundle(code_)).has_value());
  use_.set_user(kShaA, CodeUser::job);
  pass_grace();
  sweep();
  EXPECT_TRUE(is_there(code_));
  EXPECT_TRUE(use_.is_listed(kShaA));  // nobody retires it when the job ends
  use_.set_user(kShaA, CodeUser::nobody);
  ASSERT_TRUE(run_task(store_.retire_bundle(code_)).has_value());
  sweep();
  EXPECT_TRUE(is_there(code_));  // a run may just be being queued
  pass_grace();
  sweep();
  EXPECT_FALSE(is_there(code_));
  EXPECT_FALSE(use_.is_listed(kShaA));
}

TEST_F(FileCodeStoreTest, WhatABundleWasCompiledToGoesWithIt) {
  put(code_);
  const std::string key = build_key(kShaA, "x86_64");
  ASSERT_TRUE(run_task(store_.put_object(key, "a program")).has_value());
  use_.set_user(kShaA, CodeUser::function);
  pass_grace();
  sweep();
  EXPECT_EQ(run_task(store_.get_object(key)).value_or("gone"), "a program");
  use_.set_user(kShaA, CodeUser::nobody);
  ASSERT_TRUE(run_task(store_.retire_bundle(code_)).has_value());
  pass_grace();
  sweep();
  EXPECT_EQ(run_task(store_.get_object(key)).error().kind, ErrorKind::not_found);
  const auto folder = std::filesystem::path(key).parent_path();
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "objects" / folder.parent_path()));
}

TEST_F(FileCodeStoreTest, PuttingARetiredBundleSavesIt) {
  put(code_);
  ASSERT_TRUE(run_task(store_.retire_bundle(code_)).has_value());
  pass_grace();
  put(code_);
  sweep();
  EXPECT_TRUE(is_there(code_));
}

TEST_F(FileCodeStoreTest, OutputFilesStayAsLongAsTheirLogRow) {
  const auto run_id = make_uuid_v7(files_.clock.now(), {});
  const std::string key = output_key({"f"}, {run_id}, "a/b.txt");
  ASSERT_TRUE(run_task(store_.put_object(key, "bytes")).has_value());
  ASSERT_TRUE(run_task(store_.put_object("results/" + run_id + ".json", "{}")).has_value());
  files_.clock.advance(limits::kLogTtl);
  sweep();
  EXPECT_TRUE(run_task(store_.get_object(key)).has_value());
  files_.clock.advance(milliseconds{1});
  sweep();
  EXPECT_FALSE(run_task(store_.get_object(key)).has_value());
  EXPECT_TRUE(run_task(store_.get_object("results/" + run_id + ".json")).has_value()) << "no output file";
}

TEST_F(FileCodeStoreTest, AnOutputFileIsAskedForRoomAndOtherObjectsAreNot) {
  bool full = true;
  FileCodeStore store(
      folder_.path() / "other", files_.executor, files_.clock, use_, use_,
      {.quotas = {.function = {.bytes = 1 << 20, .files = 100}, .platform = {.bytes = 1 << 20, .files = 100}},
       .admit = [&]() -> Result<void> {
         if (full) return fail(errors::storage_full, "Full.");
         return {};
       }});
  const std::string first = make_uuid_v7(files_.clock.now(), {});
  const auto put = [&](const std::string& run, const std::string& name, std::size_t size) {
    return run_task(store.put_object(output_key({"f"}, {run}, name), std::string(size, 'x')));
  };
  EXPECT_EQ(put(first, "a", 10).error().code, "storage_full");
  EXPECT_TRUE(run_task(store.put_object("results/r.json", "{}")).has_value()) << "settlement goes on";
  EXPECT_EQ(store.outputs().kept().bytes, 0U);
  full = false;
  EXPECT_TRUE(put(first, "a", 600'000).has_value());
  files_.clock.advance(milliseconds{5});
  const std::string second = make_uuid_v7(files_.clock.now(), {});
  EXPECT_EQ(put(second, "too-much", 2 << 20).error().code, "storage_full");
  EXPECT_TRUE(run_task(store.get_object(output_key({"f"}, {first}, "a"))).has_value()) << "for nothing nothing goes";
  EXPECT_TRUE(put(second, "a", 600'000).has_value());
  EXPECT_FALSE(run_task(store.get_object(output_key({"f"}, {first}, "a"))).has_value()) << "the older made room";
  EXPECT_TRUE(run_task(store.get_object(output_key({"f"}, {second}, "a"))).has_value());
}

TEST_F(FileCodeStoreTest, AFileThatFailsOnItsWayTakesNoRoom) {
  const std::string run = make_uuid_v7(files_.clock.now(), {});
  const auto path = write_text(folder_.path() / "file", std::string(100'000, 'x'));
  const testing::OpenFile file(path);
  const auto put = [&](const std::string& name, std::uint64_t max_bytes) {
    return run_task(store_.put_file(output_key({"f"}, {run}, name), file.get(), max_bytes));
  };
  EXPECT_EQ(put("a", 10).error().code, "object_too_large");
  EXPECT_EQ(store_.outputs().kept().bytes, 0U);
  ASSERT_TRUE(put("b", 100'000).has_value());
  const auto kept = store_.outputs().kept().bytes;
  EXPECT_GE(kept, 100'000U);
  EXPECT_FALSE(put("b/c", 100'000).has_value()) << "a file is in the way";
  EXPECT_EQ(store_.outputs().kept().bytes, kept);
  std::filesystem::remove_all(folder_.path() / "tmp");
  EXPECT_EQ(put("d", 100'000).error().code, "disk_error");
  EXPECT_EQ(store_.outputs().kept().bytes, kept);
  EXPECT_EQ(run_task(store_.get_object(output_key({"f"}, {run}, "d"))).error().kind, ErrorKind::not_found);
}

TEST_F(FileCodeStoreTest, APutInTheMiddleOfASweepSavesTheBundle) {
  put(code_);
  pass_grace();
  use_.before_answer = [&](const std::string&) { put(code_); };
  sweep();
  EXPECT_TRUE(is_there(code_));
  EXPECT_TRUE(use_.is_listed(kShaA));  // until its row is there, it is a candidate
}

TEST_F(FileCodeStoreTest, ARetirementInTheMiddleOfASweepIsNotForgotten) {
  put(code_);
  pass_grace();
  use_.set_user(kShaA, CodeUser::function);
  use_.before_answer = [&](const std::string&) { (void)run_task(store_.retire_bundle(code_)); };
  sweep();
  EXPECT_TRUE(use_.is_listed(kShaA));
}

TEST_F(FileCodeStoreTest, ABundleWhoseRowWasNeverWrittenGoesAfterARestart) {
  put(code_);
  FileCodeStore restarted(folder_.path(), files_.executor, files_.clock, use_, use_);
  run_task([](FileCodeStore& store, WallTime now) -> Task<bool> {
    co_await store.sweep(now);
    co_return true;
  }(restarted, files_.clock.now()));
  EXPECT_FALSE(is_there(code_));
}

TEST_F(FileCodeStoreTest, NoSweepTakesABundleThatWasJustPut) {
  std::atomic<bool> done{false};
  std::jthread sweeper([&] {
    while (!done) sweep();
  });
  for (int i = 0; i < 300; ++i) {
    use_.set_user(kShaA, CodeUser::nobody);
    (void)run_task(store_.retire_bundle(code_));
    pass_grace();  // from here on the sweeper may take it at any moment, until it is put again
    put(code_);
    const bool survived = is_there(code_);
    use_.set_user(kShaA, CodeUser::function);
    if (!survived || !is_there(code_)) {
      ADD_FAILURE() << "gone in round " << i;
      break;
    }
  }
  done = true;
}

TEST_F(FileCodeStoreTest, KeepsNoTemporaryFiles) {
  write_text(folder_.path() / "tmp" / "0", "left by a dead program");
  Files again(folder_.path());
  const testing::OpenFile folder("/");
  EXPECT_FALSE(run_task(again.store_.put_file("a/unreadable", folder.get(), 10)).has_value());
  ASSERT_TRUE(run_task(again.store_.put_object("a/b", "x")).has_value());
  EXPECT_FALSE(run_task(again.store_.put_object("a", "a folder is in the way")).has_value());
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "tmp"));
}

TEST_F(FileCodeStoreTest, AWrongHashNamesNoFile) {
  for (const std::string& sha256 :
       {std::string(), std::string("../../etc/passwd"), std::string(64, 'A'), std::string(63, 'a')}) {
    EXPECT_EQ(run_task(store_.fetch_bundle({"k", sha256})).error().kind, ErrorKind::not_found);
  }
}

TEST_F(FileCodeStoreTest, TheProbeSeesAMissingFolderAndAFullDisk) {
  const auto look = [this] { return disk_state(folder_.path()).value_or(DiskState{}); };
  FileCodeStoreProbe probe(folder_.path(), files_.executor, look);
  EXPECT_EQ(probe.name(), "code");
  const auto healthy = run_task(probe.probe());
  EXPECT_TRUE(healthy.has_value()) << healthy.error().message;
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "code"));
  FileCodeStoreProbe hungry(folder_.path(), files_.executor, look, std::uint64_t{1} << 62);
  EXPECT_EQ(run_task(hungry.probe()).error().code, "disk_low");
  std::filesystem::remove_all(folder_.path() / "code");
  EXPECT_FALSE(run_task(probe.probe()).has_value());
}

}  // namespace
}  // namespace infra::testing
