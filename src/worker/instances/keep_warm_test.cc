// Instances that functions ask for ahead of their calls: when they are started, and when not. On a clock that the test
// moves, with runners that only pretend.
#include "worker/instances/keep_warm.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "support/event_counter.h"
#include "support/manual_clock.h"
#include "support/pretended_sandbox.h"
#include "support/run_as_time_passes.h"
#include "support/temp_folder.h"
#include "support/worker_world.h"

namespace infra::worker {
namespace {

using std::chrono::seconds;

class KeepWarmTest : public ::testing::Test, public sandbox::Launcher {
 protected:
  KeepWarmTest() {
    after([&] { tasks_.spawn("test", keep_warm_.run()); });
  }
  ~KeepWarmTest() override {
    (void)lifecycle_.begin_draining();
    keep_warm_.notify_all();
    join();
    loop_.run(places_.end(pool_.take_all_idle()));
  }

  Result<std::unique_ptr<sandbox::Sandbox>> launch(const sandbox::LaunchRequest&) override {
    ++launches_;
    return std::make_unique<AnsweringSandbox>(loads_ ? R"({"ok":true,"value":null})"
                                                     : R"({"ok":false,"code":"import_error","message":"not now"})");
  }
  [[nodiscard]] int capacity() const override { return 10; }

  Function function(int keep_warm, std::int64_t version = 1) {
    Function function;
    function.id = {"kept"};
    function.code = bundles_.add(std::string(63, 'd') + std::to_string(version), "main.py", "");
    function.memory_mb = 128;
    function.keep_warm = keep_warm;
    function.version = version;
    return function;
  }
  int idle() const {
    const auto pools = pool_.idle_by_runtime();
    return pools.empty() ? 0 : pools.at(Runtime::python);
  }
  // Does what wakes the loop, and waits until that has done all that it can do by now.
  template <typename Event>
  void after(Event event) {
    const int before = looks_.value();
    event();
    ASSERT_TRUE(looks_.await(before + 1));
    clock_.await_sleepers(1);
  }
  void join() { run_as_time_passes(loop_, clock_, tasks_.join()); }
  void pass(milliseconds time) {
    after([&] { clock_.advance(time); });
  }

  testing::TempFolder folder_;
  TestLoop loop_;
  ManualClock clock_;
  SourceBundles bundles_{folder_.path() / "bundles"};
  std::atomic<int> launches_ = 0;
  testing::EventCounter looks_;
  std::atomic<bool> loads_ = true;
  std::atomic<bool> short_of_memory_ = false;

  Lifecycle lifecycle_{clock_};
  TaskGroup tasks_{loop_, clock_};
  WarmPool pool_{{.instances = 10, .memory_mb = 1024}};
  Places places_{pool_, loop_, clock_, lifecycle_, [this] { keep_warm_.notify_all(); }};
  Builds builds_{bundles_, *this, loop_, clock_, {.enter = {}, .leave = {}}};
  UnpackedCode code_{folder_.path() / "versions", bundles_, bundles_, builds_, loop_, clock_};
  ByteBudget frames_{limits::kMiB};
  OngoingCalls calls_{clock_, lifecycle_, "model", frames_};
  InstanceSource instances_{{.pool = pool_,
                             .places = places_,
                             .code = code_,
                             .launcher = *this,
                             .ai = nullptr,
                             .executor = loop_,
                             .clock = clock_}};
  KeepWarm keep_warm_{{.pool = pool_,
                       .places = places_,
                       .code = code_,
                       .instances = instances_,
                       .calls = calls_,
                       .tasks = tasks_,
                       .lifecycle = lifecycle_,
                       .executor = loop_,
                       .clock = clock_,
                       .short_of_memory = [this] {
                         looks_.add();
                         return short_of_memory_.load();
                       }}};
};

TEST_F(KeepWarmTest, AsManyAsAreAskedForAreThereAndOneThatEndsIsStartedAgain) {
  after([&] { keep_warm_.deployed(function(2)); });
  EXPECT_EQ(idle(), 2);
  after([&] { loop_.run(places_.end(pool_.take(key_of(function(2))))); });
  EXPECT_EQ(idle(), 1) << "once the first are there, one a second at most";
  pass(seconds(1));
  EXPECT_EQ(idle(), 2);
  pass(seconds(10));
  EXPECT_EQ(launches_, 3);
}

TEST_F(KeepWarmTest, WhatIsKnownOrOlderChangesNothing) {
  after([&] { keep_warm_.deployed(function(1, 2)); });
  keep_warm_.deployed(function(1, 2));
  keep_warm_.deployed(function(3, 1));
  pass(seconds(10));
  EXPECT_EQ(launches_, 1);
  EXPECT_EQ(pool_.count(key_of(function(1, 2))), 1);
}

TEST_F(KeepWarmTest, ANewVersionTakesTheOldOnesPlace) {
  after([&] { keep_warm_.deployed(function(2, 1)); });
  EXPECT_EQ(idle(), 2);
  after([&] { keep_warm_.deployed(function(1, 2)); });
  while (pool_.count(key_of(function(2, 1))) > 0) std::this_thread::yield();  // they end
  EXPECT_EQ(idle(), 1);
  EXPECT_EQ(pool_.count(key_of(function(1, 2))), 1);
}

TEST_F(KeepWarmTest, ARemovedFunctionKeepsNothing) {
  after([&] { keep_warm_.deployed(function(1)); });
  after([&] { keep_warm_.removed({"kept"}); });
  EXPECT_EQ(idle(), 0);
  pass(seconds(10));
  EXPECT_EQ(launches_, 1);
}

// After a second, then after two, four …: what it needs may come back.
TEST_F(KeepWarmTest, CodeThatDoesNotLoadIsTriedLessAndLessOften) {
  loads_ = false;
  after([&] { keep_warm_.deployed(function(1)); });
  std::vector<int> tries;
  for (int second = 0; second < 8; ++second, pass(seconds(1))) tries.push_back(launches_);
  EXPECT_EQ(tries, (std::vector{1, 2, 2, 3, 3, 3, 3, 4}));
  EXPECT_EQ(idle(), 0);
  loads_ = true;
  for (int second = 0; second < 8; ++second) pass(seconds(1));
  EXPECT_EQ(idle(), 1);
}

TEST_F(KeepWarmTest, NothingIsStartedWhileTheMachineIsShortOfMemory) {
  short_of_memory_ = true;
  after([&] { keep_warm_.deployed(function(1)); });
  pass(seconds(1));
  EXPECT_EQ(launches_, 0);
  short_of_memory_ = false;
  pass(seconds(1));
  EXPECT_EQ(idle(), 1);
}

TEST_F(KeepWarmTest, ADrainingWorkerStartsNothing) {
  ASSERT_TRUE(lifecycle_.begin_draining());
  keep_warm_.deployed(function(1));
  keep_warm_.removed({"kept"});
  keep_warm_.notify_all();
  join();
  EXPECT_EQ(launches_, 0);
}

}  // namespace
}  // namespace infra::worker
