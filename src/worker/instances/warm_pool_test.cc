// Which instances the pool lets go, and what they count while they wait: instances over sandboxes that only pretend.
#include "worker/instances/warm_pool.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "core/limits.h"
#include "support/pretended_sandbox.h"
#include "support/real_clock.h"

namespace infra::worker {
namespace {

using std::chrono::seconds;

class WarmPoolTest : public testing::Test, public sandbox::Launcher {
 protected:
  Result<std::unique_ptr<sandbox::Sandbox>> launch(const sandbox::LaunchRequest&) override {
    std::this_thread::sleep_for(start_);  // what its cold start costs
    auto sandbox = std::make_unique<PretendedSandbox>(peak_mb_ * static_cast<std::int64_t>(limits::kMiB), frozen_);
    last_ = sandbox.get();
    return sandbox;
  }
  [[nodiscard]] int capacity() const override { return 100; }

  [[nodiscard]] InstanceKey key(const std::string& function, int memory_mb = 512) const {
    return {.function_id = {function}, .sha256 = "a", .runtime = runtime_, .memory_mb = memory_mb};
  }
  // One that has run once and holds `peak_mb` and a megabyte.
  InstancePtr run(const std::string& function, int peak_mb = 9, milliseconds start = {}) {
    peak_mb_ = peak_mb;
    start_ = start;
    auto instance =
        Instance::start(key(function), std::make_shared<const CodeFolder>("folder"), *this, clock_, nullptr).value();
    call(*instance);
    return instance;
  }
  void call(Instance& instance) const {
    last_->say(R"({"ok":true,"handlerMs":0,"value":1})");
    Job job;
    job.timeout = seconds(10);
    const auto result = instance.call(job, {.model_id = "m", .deadline = {}});
    EXPECT_EQ(result.value, "1") << result.error_message;
  }
  // Runs `function` and lets it wait.
  void keep(const std::string& function, int peak_mb = 9, milliseconds start = {}) {
    ASSERT_TRUE(pool_.reserve(key(function), now_).granted);
    ASSERT_TRUE(pool_.put_back(run(function, peak_mb, start), now_));
  }

  // All that have been idle by then, and freezes them.
  void trim_and_freeze(SteadyTime since) {
    EXPECT_FALSE(pool_.trim_idle(since + kPatience, kPatience));
    EXPECT_FALSE(pool_.trim_idle(since + kPatience + WarmPool::kTrimTime, kPatience));
  }

  static constexpr milliseconds kPatience{700};
  RealClock clock_;
  const SteadyTime now_{std::chrono::hours(1)};
  Runtime runtime_ = Runtime::python;
  int peak_mb_ = 9;
  milliseconds start_{};
  int frozen_ = 0;
  PretendedSandbox* last_ = nullptr;
  WarmPool pool_{{.instances = 100, .memory_mb = 1024}};
};

TEST_F(WarmPoolTest, AnIdleInstanceCountsWhatItHoldsAndARunningOneItsLimit) {
  for (int i = 0; i < 50; ++i) keep("f" + std::to_string(i));  // of 512 MB each, holding 10
  EXPECT_TRUE(pool_.reserve(key("running"), now_).granted) << "500 and 512 MB are within 1024";
  EXPECT_FALSE(pool_.reserve(key("another"), now_).granted);
}

TEST_F(WarmPoolTest, WhatAnIdleInstanceGaveBackIsFreeWhenItIsFrozen) {
  keep("f", 200);
  last_->give_back_but(19);
  trim_and_freeze(now_);
  EXPECT_TRUE(pool_.reserve(key("large", 1004), now_).granted) << "it counts 20 of 1024";
  pool_.remove(key("large", 1004));
  const auto instance = pool_.take(key("f"));
  ASSERT_TRUE(instance);
  pool_.remove(instance->key());
  EXPECT_TRUE(pool_.reserve(key("all", 1024), now_).granted) << "nothing is left of it in the books";
}

TEST_F(WarmPoolTest, WhatIsTakenCountsWithItsLimitAgain) {
  keep("f");
  auto instance = pool_.take(key("f"));
  ASSERT_TRUE(instance);
  EXPECT_TRUE(pool_.reserve(key("g"), now_).granted);
  const auto third = pool_.reserve(key("h"), now_);
  EXPECT_FALSE(third.granted);
  EXPECT_FALSE(third.end_first) << "nobody is idle";
  pool_.remove(instance->key());
  EXPECT_TRUE(pool_.reserve(key("h"), now_).granted);
}

TEST_F(WarmPoolTest, TheLastEighthIsForFunctionsThatHaveNothingRunning) {
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(pool_.reserve(key("busy", 128), now_).granted) << i;
  EXPECT_FALSE(pool_.reserve(key("busy", 128), now_).granted);
  EXPECT_FALSE(pool_.reserve(key("ahead", 128), now_, WarmPool::Urgency::ahead).granted) << "nobody waits for it";
  EXPECT_TRUE(pool_.reserve(key("f", 128), now_).granted);
  EXPECT_FALSE(pool_.reserve(key("g", 128), now_).granted) << "that was all";
  pool_.remove(key("f", 128));
  EXPECT_FALSE(pool_.reserve(key("busy", 128), now_).granted);
}

// Others' warm instances are worth more than one more of a function that has something running.
TEST_F(WarmPoolTest, ABusyFunctionLeavesOthersAnEighthThatIsIdle) {
  for (int i = 0; i < 30; ++i) keep("f" + std::to_string(i));  // of 10 MB each
  ASSERT_TRUE(pool_.reserve(key("busy"), now_).granted);
  int ended = 0;
  auto place = pool_.reserve(key("busy", 260), now_);
  for (; place.end_first; place = pool_.reserve(key("busy", 260), now_), ++ended) {
    pool_.remove(place.end_first->key());
  }
  EXPECT_EQ(ended, 17) << "130 of 1024 MB stay";
  EXPECT_FALSE(place.granted) << "512, 130 and 260 MB are more than seven eighths, 896";
  EXPECT_TRUE(pool_.reserve(key("busy", 254), now_).granted);
  EXPECT_FALSE(pool_.reserve(key("busy", 128), now_).end_first);
  EXPECT_TRUE(pool_.reserve(key("new", 256), now_).end_first) << "it has nothing running";
}

TEST_F(WarmPoolTest, TheLargeTheCheapAndTheForgottenGoFirst) {
  keep("large", 200, milliseconds(20));
  keep("cheap", 9, milliseconds(2));
  keep("dear", 9, milliseconds(60));
  const auto next = [&](SteadyTime now) {
    const auto least = pool_.take_least_valuable(now);
    if (!least) return std::string("nobody");
    pool_.remove(least->key());
    return least->key().function_id.value;
  };
  EXPECT_EQ(next(now_), "large");
  EXPECT_EQ(next(now_), "cheap");
  ASSERT_TRUE(pool_.reserve(key("fresh"), now_).granted);
  ASSERT_TRUE(pool_.put_back(run("fresh", 9, milliseconds(20)), now_ + seconds(600)));
  EXPECT_EQ(next(now_ + seconds(600)), "dear") << "nobody wanted it for ten minutes";
  EXPECT_EQ(next(now_), "fresh");
  EXPECT_EQ(next(now_), "nobody");
}

TEST_F(WarmPoolTest, ThoseThatAreKeptDoNotExpireAndGoLast) {
  keep("f");
  keep("f");
  keep("f");
  keep("g");
  pool_.keep(key("f"), 2);
  const SteadyTime late = now_ + seconds(3600);
  const auto expired = pool_.take_expired(late);
  ASSERT_EQ(expired.size(), 2U) << "one of f's, which has three, and g's";
  EXPECT_NE(expired[0]->key(), expired[1]->key());
  for (const auto& instance : expired) pool_.remove(instance->key());
  EXPECT_EQ(pool_.count(key("f")), 2);
  EXPECT_TRUE(pool_.take_expired(late).empty());

  keep("dear", 9, milliseconds(60));
  EXPECT_EQ(pool_.take_least_valuable(now_)->key(), key("dear")) << "it is the only one that is not kept";
  pool_.remove(key("dear"));
  EXPECT_TRUE(pool_.take_least_valuable(late)) << "kept ones go when nothing else is left";
  pool_.remove(key("f"));
  pool_.keep(key("f"), 0);
  EXPECT_EQ(pool_.take_expired(late).size(), 1U);
}

TEST_F(WarmPoolTest, AJobOfAnOlderVersionEndsNoneOfTheKeptOne) {
  keep("f");
  pool_.keep(key("f"), 1);
  EXPECT_TRUE(pool_.supersede(key("f", 256)).empty());
  EXPECT_TRUE(pool_.take(key("f")));
  pool_.keep_none_of({"f"});
  EXPECT_TRUE(pool_.supersede(key("f", 256)).empty()) << "none is idle";
  EXPECT_FALSE(pool_.put_back(run("f"), now_)) << "but now the other version is the current one";
}

TEST_F(WarmPoolTest, WhatJobsSayIsKeptUntilItIsKnownBetter) {
  const SteadyTime late = now_ + seconds(3600);
  keep("f");
  pool_.keep_for_jobs({"f"}, 1);
  EXPECT_TRUE(pool_.take_expired(late).empty());
  pool_.keep(key("f"), 1);
  pool_.keep_for_jobs({"f"}, 0);
  pool_.keep_none_for_jobs();
  EXPECT_TRUE(pool_.take_expired(late).empty()) << "its function's row says so";
  pool_.keep(key("f"), 0);
  pool_.keep_for_jobs({"f"}, 1);
  EXPECT_TRUE(pool_.take_expired(late).empty());
  pool_.keep_none_for_jobs();
  EXPECT_EQ(pool_.take_expired(late).size(), 1U);
}

TEST_F(WarmPoolTest, WhatIsStartedAheadEndsNobodyWhoIsKept) {
  keep("f");
  pool_.keep(key("f"), 1);
  keep("g");
  EXPECT_TRUE(pool_.reserve(key("running", 1000), now_).granted);
  const auto first = pool_.reserve(key("h"), now_, WarmPool::Urgency::ahead);
  ASSERT_TRUE(first.end_first);
  EXPECT_EQ(first.end_first->key(), key("g"));
  pool_.remove(key("g"));
  const auto second = pool_.reserve(key("h"), now_, WarmPool::Urgency::ahead);
  EXPECT_FALSE(second.granted || second.end_first);
  EXPECT_EQ(pool_.reserve(key("h"), now_).end_first->key(), key("f"));
}

TEST_F(WarmPoolTest, AFunctionThatIsGoneKeepsNothing) {
  keep("f");
  keep("f");
  const auto running = pool_.take(key("f"));
  const auto idle = pool_.retire({"f"});
  EXPECT_EQ(idle.size(), 1U);
  EXPECT_FALSE(pool_.put_back(running, now_));
  EXPECT_TRUE(pool_.supersede(key("f")).empty());
  EXPECT_TRUE(pool_.put_back(running, now_)) << "somebody asked for it again";
}

TEST_F(WarmPoolTest, WhoDiedWhileNobodyCalledIsFound) {
  keep("f");
  EXPECT_TRUE(pool_.take_dead().empty());
  last_->say(R"({"unasked":1})");
  EXPECT_EQ(pool_.take_dead().size(), 1U);
}

TEST_F(WarmPoolTest, WhatHasBeenIdleForAMomentIsTrimmedOnceAndFrozenThen) {
  keep("f");
  (void)last_->heard();  // the call
  EXPECT_FALSE(pool_.trim_idle(now_ + kPatience - milliseconds(1), kPatience));
  EXPECT_EQ(last_->heard(), "");
  EXPECT_FALSE(pool_.trim_idle(now_ + kPatience, kPatience));
  EXPECT_EQ(last_->heard(), std::string(4, '\0'));
  EXPECT_FALSE(pool_.trim_idle(now_ + kPatience + WarmPool::kTrimTime - milliseconds(1), kPatience));
  EXPECT_EQ(frozen_, 0) << "it has had no time yet";
  EXPECT_FALSE(pool_.trim_idle(now_ + kPatience + WarmPool::kTrimTime, kPatience));
  EXPECT_FALSE(pool_.trim_idle(now_ + kPatience + WarmPool::kTrimTime, kPatience));
  EXPECT_EQ(last_->heard(), "") << "it has been asked";
  EXPECT_EQ(frozen_, 1);
}

TEST_F(WarmPoolTest, OnlyPythonsRunnersAreAskedToTrim) {
  runtime_ = Runtime::nodejs;
  keep("f");
  (void)last_->heard();  // the call
  trim_and_freeze(now_);
  EXPECT_EQ(last_->heard(), "");
  EXPECT_EQ(frozen_, 1);
}

TEST_F(WarmPoolTest, TheNextCallThawsAFrozenOne) {
  keep("f");
  trim_and_freeze(now_);
  EXPECT_EQ(frozen_, 1);
  auto instance = pool_.take(key("f"));
  EXPECT_TRUE(instance->reusable());
  call(*instance);
  EXPECT_EQ(frozen_, 0);
}

TEST_F(WarmPoolTest, AFewAreTrimmedAtATimeSoThatNoRunWaitsForAllOfThem) {
  constexpr int kAll = 2 * WarmPool::kTrimAtOnce + 1;
  for (int i = 0; i < kAll; ++i) keep("f" + std::to_string(i));
  int asked = 1;
  while (pool_.trim_idle(now_ + kPatience, kPatience)) ++asked;
  EXPECT_EQ(asked, 3);
  int rounds = 1;
  for (int before = 0; pool_.trim_idle(now_ + kPatience + WarmPool::kTrimTime, kPatience); before = frozen_, ++rounds) {
    EXPECT_LE(frozen_ - before, WarmPool::kTrimAtOnce);
  }
  EXPECT_EQ(frozen_, kAll);
  EXPECT_EQ(rounds, 3);
}

}  // namespace
}  // namespace infra::worker
