// What becomes of output files once they have left the sandbox: kept, or named with the reason; and that a call never
// finds those of another.
#include "worker/instances/keep_output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "core/error_codes.h"
#include "core/limits.h"
#include "core/sha256.h"
#include "sandbox/client/plain_launcher.h"
#include "support/read_open_file.h"
#include "support/real_clock.h"
#include "support/worker_world.h"
#include "worker/instances/answer_bytes.h"
#include "worker/instances/instance.h"

namespace infra::worker {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const FunctionId kFunction{"f1"};
const RequestId kRequest{"r1"};

class ObjectStore : public SourceBundles {
 public:
  using SourceBundles::SourceBundles;
  Task<Result<StoredFile>> put_file(const std::string& key, int file, std::uint64_t max_bytes) override {
    if (full) co_return fail(errors::storage_full, "The disk is full.");
    if (failures_left > 0) {
      --failures_left;
      co_return fail(errors::code_store_unavailable, "The store is away.");
    }
    const auto bytes = infra::testing::read_open_file(file, max_bytes);
    if (!bytes) co_return fail(bytes.error());
    objects[key] = *bytes;
    co_return infra::testing::stored_as(*bytes);
  }

  std::map<std::string, std::string> objects;
  int failures_left = 0;
  bool full = false;
};

class KeepOutputTest : public ::testing::Test {
 protected:
  KeepOutputTest() { result_.function_id = kFunction, result_.request_id = kRequest; }
  ~KeepOutputTest() override { fs::remove_all(root_); }

  // Gives its path, for what is done to it after it was opened.
  fs::path add(std::string name, const std::string& bytes) {
    const fs::path path = root_ / std::to_string(tree_.entries.size());
    std::ofstream(path) << bytes;
    tree_.entries.push_back({.name = std::move(name),
                             .left_out = sandbox::LeftOut::no,
                             .file = sandbox::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC))});
    return path;
  }
  void leave_out(std::string name, sandbox::LeftOut why) {
    tree_.entries.push_back({.name = std::move(name), .left_out = why, .file = sandbox::UniqueFd()});
  }
  void keep(int attempt = 1) { loop_.run(keep_output(store_, std::move(tree_), attempt, result_)); }
  [[nodiscard]] std::vector<std::string> kept() const {
    std::vector<std::string> names;
    for (const auto& file : result_.output_files) names.push_back(file.name);
    return names;
  }

  const fs::path root_ = fs::path(::testing::TempDir()) / ("keep-output-" + std::to_string(getpid()));
  ObjectStore store_{root_};
  TestLoop loop_;
  sandbox::OutputTree tree_;
  JobResult result_;
};

TEST_F(KeepOutputTest, FilesAreStoredAndListed) {
  const std::string large(limits::kMaxOutputFileBytes, 'x');
  add("a/b.txt", "bytes");
  add("large", large);
  result_.err = "printed";
  keep();
  ASSERT_THAT(kept(), ElementsAre("a/b.txt", "large"));
  EXPECT_EQ(result_.output_files[0].size_bytes, 5);
  EXPECT_EQ(result_.output_files[0].key, "outputs/f1/r1/a/b.txt");
  EXPECT_EQ(result_.output_files[0].sha256, sha256_of("bytes"));
  EXPECT_EQ(store_.objects.at("outputs/f1/r1/a/b.txt"), "bytes");
  EXPECT_EQ(store_.objects.at("outputs/f1/r1/large"), large);
  EXPECT_EQ(result_.err, "printed");
}

TEST_F(KeepOutputTest, AStartThatLostItsJobWritesOverNothingOfTheNext) {
  add("a", "the winner's");
  keep(2);
  add("a", "the loser's");
  keep(1);
  ASSERT_THAT(kept(), ElementsAre("a", "a"));
  EXPECT_EQ(store_.objects.at(result_.output_files[0].key), "the winner's");
}

TEST_F(KeepOutputTest, AFileThatGrewIsReadNoFurtherThanItsBound) {
  fs::resize_file(add("grew", ""), 1ULL << 40);
  fs::resize_file(add("shrank", "much"), 1);
  keep();
  EXPECT_THAT(kept(), ElementsAre("shrank"));
  EXPECT_EQ(store_.objects.at("outputs/f1/r1/shrank"), "m");
  EXPECT_EQ(result_.err, "[not kept as output files: \"grew\" is over 10 MiB]\n");
}

TEST_F(KeepOutputTest, FilesThatGrewAreReadNoFurtherThanTheBoundOfAll) {
  std::vector<fs::path> paths;
  for (const char* name : {"a", "b", "c", "d", "e"}) paths.push_back(add(name, ""));
  for (const auto& path : paths) fs::resize_file(path, limits::kMaxOutputFileBytes);
  fs::resize_file(paths.back(), 1000);
  keep();
  EXPECT_THAT(kept(), ElementsAre("a", "b", "c", "e"));
  EXPECT_EQ(result_.err, "[not kept as output files: \"d\" is past 32 MiB in all]\n");
}

TEST_F(KeepOutputTest, AFileThatCannotBeReadIsNamed) {
  add("lost", "1");
  add("kept", "2");
  tree_.entries[0].file = sandbox::UniqueFd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  keep();
  EXPECT_THAT(kept(), ElementsAre("kept"));
  EXPECT_EQ(result_.err, "[not kept as output files: \"lost\" can't be read]\n");
}

TEST_F(KeepOutputTest, WhatIsStoredOfHolesIsWritten) {
  fs::resize_file(add("hole", ""), 5 * limits::kMiB);
  add("bytes", std::string(4096, 'x'));
  result_.disk_write = 4096;  // by how much the folder grew
  keep();
  EXPECT_EQ(result_.disk_write, static_cast<std::int64_t>(5 * limits::kMiB + 4096));
}

TEST_F(KeepOutputTest, AFullDiskIsNamed) {
  add("lost", "1");
  store_.full = true;
  result_.status = RunStatus::success;
  keep();
  EXPECT_EQ(result_.status, RunStatus::success);
  EXPECT_EQ(result_.err, "[not kept as output files: \"lost\" has no room on the platform's disk]\n");
}

TEST_F(KeepOutputTest, AStoreThatIsAwayCostsTheFileNotTheRun) {
  add("lost", "1");
  add("kept", "2");
  store_.failures_left = 1;
  result_.status = RunStatus::success;
  result_.err = "printed";
  keep();
  EXPECT_THAT(kept(), ElementsAre("kept"));
  EXPECT_EQ(result_.status, RunStatus::success);
  EXPECT_EQ(result_.err, "printed\n[not kept as output files: \"lost\" could not be stored]\n");
}

TEST_F(KeepOutputTest, NamesThatCannotBeListedAreQuotedInTheNote) {
  add("bad\xff", "1");
  add("line\nbreak", "2");
  leave_out("", sandbox::LeftOut::out_of_reach);
  keep();
  EXPECT_THAT(kept(), IsEmpty());
  EXPECT_EQ(
      result_.err,
      "[not kept as output files: \"bad\xef\xbf\xbd\" has a name that is over 255 bytes, not UTF-8, or holds control "
      "characters; \"line\\nbreak\" has a name that is over 255 bytes, not UTF-8, or holds control characters; "
      "/output could not be looked at]\n");
}

TEST_F(KeepOutputTest, TheNoteNamesTenAndCountsTheRest) {
  for (int i = 0; i < 12; ++i) leave_out(std::to_string(i), sandbox::LeftOut::not_regular);
  tree_.unnamed = 5;
  keep();
  EXPECT_THAT(result_.err, ::testing::HasSubstr("\"9\" is not a regular file; 7 more]"));
  EXPECT_THAT(result_.err, ::testing::Not(::testing::HasSubstr("\"10\"")));
}

class InstanceOutputTest : public ::testing::Test {
 protected:
  ~InstanceOutputTest() override { fs::remove_all(root_); }

  std::shared_ptr<Instance> start(const std::string& source) {
    const std::string version(64, 'a');
    fs::create_directories(root_ / "versions" / version);
    std::ofstream(root_ / "versions" / version / "main.py") << source;
    launcher_.emplace(
        sandbox::PlainLauncher::Options{.versions = root_ / "versions",
                                        .runners = {.runtimes = INFRA_RUNTIMES, .native = INFRA_NATIVE_RUNNER},
                                        .temporary = root_ / "instances",
                                        .capacity = 1});
    auto instance = Instance::start({.function_id = kFunction, .sha256 = version, .runtime = Runtime::python},
                                    std::make_shared<CodeFolder>(version), *launcher_, clock_, nullptr);
    EXPECT_TRUE(instance) << instance.error().message;
    return instance.value_or(nullptr);
  }
  static JobResult call(Instance& instance) {
    Job job;
    job.request_id = kRequest;
    job.function_id = kFunction;
    job.input = "{}";
    job.timeout = milliseconds(20'000);
    return instance.call(job, {.model_id = "m", .deadline = WallTime::max()});
  }
  static std::vector<std::string> names(const sandbox::OutputTree& tree) {
    std::vector<std::string> all;
    for (const auto& entry : tree.entries) all.push_back(entry.name);
    return all;
  }

  const fs::path root_ = fs::path(::testing::TempDir()) / ("instance-output-" + std::to_string(getpid()));
  RealClock clock_;
  std::optional<sandbox::PlainLauncher> launcher_;
};

TEST_F(InstanceOutputTest, WhatIsWrittenBetweenCallsBelongsToNone) {
  const auto instance = start(
      "import os\n"
      "def handler(event):\n"
      "    found = os.listdir(os.environ['OUTPUT_DIR'])\n"
      "    open(os.environ['OUTPUT_DIR'] + '/own', 'w').close()\n"
      "    return found\n");
  ASSERT_TRUE(instance);
  EXPECT_EQ(call(*instance).value, "[]");
  EXPECT_THAT(names(instance->take_output()), ElementsAre("own"));
  EXPECT_THAT(names(instance->take_output()), IsEmpty()) << "once a call";
  std::ofstream(root_ / "instances/1/output/late") << "as a thread would";
  EXPECT_EQ(call(*instance).value, "[]");
  EXPECT_THAT(names(instance->take_output()), ElementsAre("own"));
  EXPECT_TRUE(instance->reusable());
  instance->end();
}

TEST_F(InstanceOutputTest, AnInstanceWhoseFolderStaysFullIsNotUsedAgain) {
  const auto instance = start(
      "import os\n"
      "def handler(event): os.makedirs(os.environ['OUTPUT_DIR'] + '/2/3/4/5/6/7/8/9/10')\n");
  ASSERT_TRUE(instance);
  EXPECT_EQ(call(*instance).status, RunStatus::success);
  EXPECT_FALSE(instance->reusable());
  instance->end();
}

TEST(AnswerBytes, FilesOnTheirWayAndFramesAreOneSum) {
  EXPECT_EQ(frame_bytes(9) + 9 * kFilePiece, kAnswerBytes);
  EXPECT_EQ(frame_bytes(100'000), kAnswerBytes / 2);
}

}  // namespace
}  // namespace infra::worker
