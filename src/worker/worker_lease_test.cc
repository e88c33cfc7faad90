// A job whose lease is lost while it runs: the run is stopped, and nothing of it is kept or told.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>

#include "core/operator_error_codes.h"
#include "support/event_counter.h"
#include "support/manual_clock.h"
#include "support/pretended_sandbox.h"
#include "support/temp_folder.h"
#include "support/worker_world.h"
#include "worker/worker.h"

namespace infra::worker {
namespace {

// Another worker has the job from the first renewal on, or the queue says nothing.
class LosingQueue : public MemoryQueue {
 public:
  using MemoryQueue::MemoryQueue;
  Task<Result<void>> extend(const std::string&) override {
    ++extended;
    if (away) co_return fail(errors::engine_unavailable, "The queue is away.");
    co_return fail(errors::receipt_dead, "It is another worker's.");
  }
  std::atomic<bool> away = false;
  std::atomic<int> extended = 0;
};

class LeaseTest : public ::testing::Test, public sandbox::Launcher {
 protected:
  ~LeaseTest() override {
    std::atomic<bool> drained = false;
    loop_.spawn("test", [](Worker& worker, SteadyTime deadline, std::atomic<bool>& done) -> Task<void> {
      co_await worker.drain(deadline);
      done = true;
    }(*worker_, clock_.steady_now(), drained));
    eventually([&] { return drained.load(); });
    worker_.reset();
  }

  Result<std::unique_ptr<sandbox::Sandbox>> launch(const sandbox::LaunchRequest&) override {
    return std::make_unique<AnsweringSandbox>("", [this] { called_.add(); });
  }
  [[nodiscard]] int capacity() const override { return 4; }

  void run_one() {
    Job job;
    job.request_id = {"r"};
    job.function_id = {"f"};
    job.code = bundles_.add(std::string(64, 'a'), "main.py", "");
    job.timeout = std::chrono::hours(1);
    job.mode = RunMode::async;
    queue_.add(job);
    loop_.spawn("test", worker_->run());
    eventually([&] { return called_.value() == 1; });
  }
  template <typename Condition>
  void eventually(Condition condition) {
    for (int i = 0; i < 30'000 && !condition(); ++i) {
      clock_.advance(milliseconds{20});
      std::this_thread::sleep_for(milliseconds{1});
    }
    ASSERT_TRUE(condition());
  }

  testing::TempFolder folder_;
  SourceBundles bundles_{folder_.path() / "bundles"};
  TestLoop loop_;
  ManualClock clock_;
  LosingQueue queue_{clock_};
  MemorySettlement settlement_{queue_};
  TestLimiter limiter_;
  testing::EventCounter called_;
  std::atomic<int> lost_ = 0;
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
                                           .on_finished = {},
                                           .on_lost = [this](const Job&) { ++lost_; }},
                                WorkerOptions{}};
};

TEST_F(LeaseTest, ARenewalThatSaysLostStopsTheRunAndDropsItsResult) {
  run_one();
  eventually([&] { return lost_ == 1; });
  eventually([&] { return worker_->status().active_jobs == 0; });
  EXPECT_FALSE(settlement_.has("r"));
  EXPECT_TRUE(queue_.acknowledged.empty());
  EXPECT_TRUE(queue_.given_back.empty()) << "it is not ours to give";
  EXPECT_TRUE(worker_->status().pools.empty()) << "its instance has ended";
}

TEST_F(LeaseTest, AQueueThatIsAwaySaysNothingOfWhoseTheJobIs) {
  queue_.away = true;
  run_one();
  eventually([&] { return queue_.extended >= 2; });
  EXPECT_EQ(worker_->status().active_jobs, 1);
  EXPECT_EQ(lost_, 0);
}

}  // namespace
}  // namespace infra::worker
