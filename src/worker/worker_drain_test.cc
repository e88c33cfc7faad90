// The order in which a worker ends: what takes jobs, what runs, what is given back or settled, and what was idle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "support/pretended_sandbox.h"
#include "support/temp_folder.h"
#include "support/worker_world.h"
#include "worker/worker.h"

namespace infra::worker {
namespace {

using std::chrono::steady_clock;
using ::testing::ElementsAreArray;

// What happened, in order. Any thread.
class Diary {
 public:
  void note(std::string event) {
    const MutexLock lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_all();
  }
  void await(const std::string& event) {
    const MutexLock lock(mutex_);
    while (std::ranges::find(events_, event) == events_.end()) {
      ASSERT_TRUE(changed_.wait_for(mutex_, std::chrono::seconds(30))) << event;
    }
  }
  // These of its events, in the order in which they happened.
  std::vector<std::string> only(const std::set<std::string>& wanted) {
    const MutexLock lock(mutex_);
    std::vector<std::string> events;
    for (const auto& event : events_) {
      if (wanted.contains(event)) events.push_back(event);
    }
    return events;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> events_ INFRA_GUARDED_BY(mutex_);
};

class DiaryQueue : public MemoryQueue {
 public:
  DiaryQueue(Clock& clock, Diary& diary) : MemoryQueue(clock), diary_(diary) {}
  void wake_receivers() override {
    diary_.note(std::exchange(woken_, true) ? "stopping" : "draining");
    MemoryQueue::wake_receivers();
  }
  Task<Result<void>> give_back(const std::string& receipt) override {
    diary_.note("given back: " + receipt);
    return MemoryQueue::give_back(receipt);
  }

 private:
  Diary& diary_;
  bool woken_ = false;
};

class DiarySettlement : public MemorySettlement {
 public:
  DiarySettlement(MemoryQueue& queue, Diary& diary) : MemorySettlement(queue), diary_(diary) {}
  Task<Result<void>> settle(const Delivery& delivery, std::shared_ptr<const JobResult> result) override {
    diary_.note(result->request_id.value + ": settled " + result->error_code);
    return MemorySettlement::settle(delivery, std::move(result));
  }

 private:
  Diary& diary_;
};

class DiarySandbox : public AnsweringSandbox {
 public:
  DiarySandbox(std::string name, std::string answer, Diary& diary)
      : AnsweringSandbox(std::move(answer), [name, &diary] { diary.note(name + ": called"); }),
        name_(std::move(name)),
        diary_(diary) {}
  ~DiarySandbox() override { diary_.note(name_ + ": ended"); }
  DiarySandbox(const DiarySandbox&) = delete;
  DiarySandbox& operator=(const DiarySandbox&) = delete;
  void kill() override {
    diary_.note(name_ + ": killed");
    AnsweringSandbox::kill();
  }

 private:
  const std::string name_;
  Diary& diary_;
};

class DrainTest : public ::testing::Test, public sandbox::Launcher {
 protected:
  // The folder's first letter says whose it is; only what is idle later has an answer.
  Result<std::unique_ptr<sandbox::Sandbox>> launch(const sandbox::LaunchRequest& request) override {
    const std::string name = request.version.starts_with('a')   ? "idle"
                             : request.version.starts_with('b') ? "sync"
                                                                : "async";
    return std::make_unique<DiarySandbox>(
        name, name == "idle" ? R"({"requestId":"idle","ok":true,"value":1})" : std::string(), diary_);
  }
  [[nodiscard]] int capacity() const override { return 4; }

  void add(const std::string& name, char version, RunMode mode) {
    Job job;
    job.request_id = {name};
    job.function_id = {name};
    job.code = bundles_.add(std::string(64, version), "main.py", "");
    job.timeout = std::chrono::hours(1);
    job.mode = mode;
    queue_.add(job);
  }

  testing::TempFolder folder_;
  Diary diary_;
  SourceBundles bundles_{folder_.path() / "bundles"};
  TestLoop loop_;
  TestClock clock_{loop_};
  DiaryQueue queue_{clock_, diary_};
  DiarySettlement settlement_{queue_, diary_};
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
};

TEST_F(DrainTest, EndsInOrder) {
  loop_.spawn("test", worker_->run());
  add("idle", 'a', RunMode::sync);
  while (worker_->status().pools[Runtime::python] != 1) std::this_thread::yield();
  add("sync", 'b', RunMode::sync);
  add("async", 'c', RunMode::async);
  diary_.await("sync: called");
  diary_.await("async: called");
  loop_.run(worker_->drain(steady_clock::now()));
  diary_.note("drained");
  worker_.reset();
  const auto expect_in_order = [&](const std::vector<std::string>& events) {
    EXPECT_THAT(diary_.only({events.begin(), events.end()}), ElementsAreArray(events));
  };
  // No more is taken from before the kill on. What comes of a job follows the end of its processes. What was idle goes
  // last, when no job needs anything any more.
  expect_in_order({"sync: called", "draining", "sync: killed", "stopping"});
  expect_in_order({"async: called", "draining", "async: killed", "stopping"});
  expect_in_order({"sync: killed", "sync: ended", "sync: settled shutting_down", "idle: ended", "drained"});
  expect_in_order({"async: killed", "async: ended", "given back: receipt-3", "idle: ended", "drained"});
  EXPECT_TRUE(queue_.in_flight.empty());
}

}  // namespace
}  // namespace infra::worker
