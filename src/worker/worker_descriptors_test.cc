// Without free descriptors nothing is launched: what is idle goes, and jobs wait. None is charged with a start.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include "support/pretended_sandbox.h"
#include "support/temp_folder.h"
#include "support/worker_world.h"
#include "worker/worker.h"

namespace infra::worker {
namespace {

class CountedSandbox : public AnsweringSandbox {
 public:
  CountedSandbox(std::string answer, std::atomic<int>& alive) : AnsweringSandbox(std::move(answer)), alive_(alive) {
    ++alive_;
  }
  ~CountedSandbox() override { --alive_; }
  CountedSandbox(const CountedSandbox&) = delete;
  CountedSandbox& operator=(const CountedSandbox&) = delete;

 private:
  std::atomic<int>& alive_;
};

class WorkerDescriptorsTest : public ::testing::Test, public sandbox::Launcher {
 protected:
  Result<std::unique_ptr<sandbox::Sandbox>> launch(const sandbox::LaunchRequest& request) override {
    if (refusals_ > 0 || alive_ >= room_) {
      --refusals_;
      ++refused_;
      return fail(errors::no_descriptors, "told to have none");
    }
    return std::make_unique<CountedSandbox>(
        R"({"requestId":")" + request.version.substr(0, 1) + R"(","ok":true,"value":1})", alive_);
  }
  [[nodiscard]] int capacity() const override { return 4; }

  // Named as its version, on its last try.
  Job job(char version, RunMode mode) {
    Job job;
    job.request_id = {std::string(1, version)};
    job.function_id = {std::string(1, version)};
    job.code = bundles_.add(std::string(64, version), "main.py", "");
    job.timeout = std::chrono::hours(1);
    job.mode = mode;
    return job;
  }
  JobResult run(char version, RunMode mode = RunMode::async) {
    queue_.add(job(version, mode), limits::kMaxReceives);
    return settlement_.wait_for(std::string(1, version));
  }

  std::atomic<int> room_ = 100;
  std::atomic<int> refusals_ = 0;
  std::atomic<int> refused_ = 0;
  std::atomic<int> alive_ = 0;
  testing::TempFolder folder_;
  SourceBundles bundles_{folder_.path() / "bundles"};
  TestLoop loop_;
  TestClock clock_{loop_};
  MemoryQueue queue_{clock_};
  MemorySettlement settlement_{queue_};
  TestLimiter limiter_;
  std::optional<Worker> worker_{std::in_place,
                                WorkerDeps{.queue = queue_,
                                           .code = bundles_,
                                           .bundles = bundles_,
                                           .settlement = settlement_,
                                           .launcher = *this,
                                           .limiter = limiter_,
                                           .ai = nullptr,
                                           .executor = loop_,
                                           .clock = clock_,
                                           .versions_root = folder_.path() / "versions",
                                           .id = {"w-1"},
                                           .on_finished = {}},
                                WorkerOptions{}};

  void SetUp() override { loop_.spawn("test", worker_->run()); }
  void TearDown() override { loop_.run(worker_->drain(std::chrono::steady_clock::now())); }
};

TEST_F(WorkerDescriptorsTest, AnIdleInstanceGoesForOneThatIsNeeded) {
  room_ = 2;
  for (const char version : {'a', 'b'}) EXPECT_EQ(run(version).status, RunStatus::success);
  while (worker_->status().pools[Runtime::python] != 2) std::this_thread::yield();
  EXPECT_EQ(run('c').status, RunStatus::success);
  EXPECT_EQ(refused_, 1);
}

TEST_F(WorkerDescriptorsTest, WithoutAnyIdleTheJobIsTriedAgain) {
  refusals_ = 1;
  EXPECT_EQ(run('a').status, RunStatus::success);
  EXPECT_EQ(run('b', RunMode::sync).status, RunStatus::success);
  EXPECT_EQ(refused_, 1);
}

}  // namespace
}  // namespace infra::worker
