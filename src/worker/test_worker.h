// The worker that its tests talk to: real runners without isolation, and ports that live in memory.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "sandbox/client/plain_launcher.h"
#include "support/worker_world.h"
#include "worker/worker.h"

namespace infra::worker {

namespace fs = std::filesystem;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

sandbox::RunnerFolders test_runners();  // of this tree; in worker_test.cc, which is told where they are

class WorkerTest : public ::testing::Test {
 protected:
  explicit WorkerTest(WorkerOptions options = {}) {
    launcher_.emplace(sandbox::PlainLauncher::Options{
        .versions = root_ / "versions", .runners = test_runners(), .temporary = root_ / "instances", .capacity = 4});
    options.max_concurrent = 4;  // half of them for functions that have nothing running
    worker_.emplace(WorkerDeps{.queue = queue_,
                               .code = bundles_,
                               .bundles = bundles_,
                               .settlement = settlement_,
                               .launcher = *launcher_,
                               .limiter = limiter_,
                               .ai = nullptr,
                               .executor = loop_,
                               .clock = clock_,
                               .versions_root = root_ / "versions",
                               .id = {"w-1"},
                               .on_finished = [this](const JobResult&, const Job&) { ++finished_; }},
                    options);
  }

  ~WorkerTest() override {
    if (started_) drain(milliseconds(0));
    worker_.reset();
    EXPECT_TRUE(fs::is_empty(root_ / "instances"));  // nothing of any instance is left
    fs::remove_all(root_);
  }

  void start() {
    started_ = true;
    loop_.spawn("test", worker_->run());
  }

  void drain(milliseconds patience) {
    started_ = false;
    loop_.run(worker_->drain(steady_clock::now() + patience));
  }

  Job python(const std::string& source) { return job(Runtime::python, "main.py", source); }
  Job node(const std::string& source) { return job(Runtime::nodejs, "index.js", source); }

  Job job(Runtime runtime, const std::string& entry, const std::string& source) {
    const std::string number = std::to_string(++jobs_);
    Job job;
    job.request_id = {"r-" + number};
    job.function_id = {"f-" + number};
    job.runtime = runtime;
    job.code = bundles_.add(std::string(64 - number.size(), 'a') + number, entry, source);
    job.timeout = milliseconds(20'000);
    return job;
  }

  JobResult run(Job job) {
    if (!started_) start();
    const auto id = job.request_id.value;
    queue_.add(std::move(job));
    return settlement_.wait_for(id);
  }

  JobResult again(Job job, const std::string& input = "{}") {
    job.request_id.value = "again-" + std::to_string(++jobs_);
    job.input = input;
    return run(std::move(job));
  }

  void expect_failed(const JobResult& result, const std::string& code, const std::string& message) {
    EXPECT_EQ(result.status, RunStatus::failed);
    EXPECT_EQ(result.error_code, code);
    EXPECT_THAT(result.error_message, HasSubstr(message));
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_NE(result.exit_code, 0);
  }

  template <typename Condition>
  static void eventually(Condition condition) {
    for (int i = 0; i < 10'000 && !condition(); ++i) std::this_thread::sleep_for(milliseconds(2));
    ASSERT_TRUE(condition());
  }

  const fs::path root_ = fs::path(::testing::TempDir()) / ("worker-" + std::to_string(getpid()));
  SourceBundles bundles_{root_ / "bundles"};
  TestLoop loop_;
  TestClock clock_{loop_};
  MemoryQueue queue_{clock_};
  MemorySettlement settlement_{queue_};
  TestLimiter limiter_;
  std::optional<sandbox::PlainLauncher> launcher_;
  std::optional<Worker> worker_;
  std::atomic<int> finished_ = 0;
  bool started_ = false;
  int jobs_ = 0;
};

}  // namespace infra::worker
