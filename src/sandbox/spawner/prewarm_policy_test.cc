#include "sandbox/spawner/prewarm_policy.h"

#include <gtest/gtest.h>

#include <map>

namespace infra::sandbox {
namespace {

constexpr auto kRun = LaunchPurpose::run;
constexpr SteadyTime kStart{std::chrono::hours(1)};
const SandboxKind kPython = sandbox_kind(kRun, Runtime::python, 512);
const SandboxKind kNode = sandbox_kind(kRun, Runtime::nodejs, 128);

class PrewarmPolicyTest : public testing::Test {
 protected:
  PrewarmPolicy::Count count() {
    return [this](const SandboxKind& kind) {
      for (const auto& [counted, number] : ready_) {
        if (counted == kind) return number;
      }
      return 0;
    };
  }
  void set(const SandboxKind& kind, int number) {
    std::erase_if(ready_, [&](const auto& entry) { return entry.first == kind; });
    ready_.emplace_back(kind, number);
  }
  // Prepares whatever is lacking; gives how many of `kind` there are then.
  int fill(const SandboxKind& kind) {
    while (const auto next = prewarm_.lacking(count())) set(*next, count()(*next) + 1);
    return count()(kind);
  }

  std::vector<std::pair<SandboxKind, int>> ready_;
  PrewarmPolicy prewarm_{{kPython, kNode}};
};

TEST_F(PrewarmPolicyTest, KeepsAFewOfEachBasicKind) {
  EXPECT_EQ(fill(kPython), 2);
  EXPECT_EQ(fill(kNode), 1);
  EXPECT_FALSE(prewarm_.surplus(count(), kStart));
}

TEST_F(PrewarmPolicyTest, GrowsWithLaunchesThatFoundNoneAndForgetsThem) {
  (void)fill(kPython);
  prewarm_.launched(kPython, true, kStart);
  EXPECT_EQ(fill(kPython), 2);
  for (int i = 0; i < 10; ++i) prewarm_.launched(kPython, false, kStart);
  set(kPython, 5);
  EXPECT_EQ(prewarm_.short_of(count()), kPython);  // less than half of what is wanted can't wait
  EXPECT_EQ(fill(kPython), 16);
  EXPECT_FALSE(prewarm_.short_of(count()));
  EXPECT_FALSE(prewarm_.surplus(count(), kStart + std::chrono::seconds(59)));
  EXPECT_EQ(prewarm_.surplus(count(), kStart + PrewarmPolicy::kMemory), kPython);
  EXPECT_EQ(fill(kPython), 16) << "none is made anew";
}

TEST_F(PrewarmPolicyTest, AKindThatIsAskedForOnceStaysForAWhile) {
  const SandboxKind large = sandbox_kind(kRun, Runtime::nodejs, 1024);
  prewarm_.launched(large, false, kStart);
  EXPECT_EQ(fill(large), 1);
  EXPECT_EQ(prewarm_.surplus(count(), kStart + PrewarmPolicy::kMemory), large);
  set(large, 0);
  EXPECT_EQ(fill(large), 0);
}

TEST_F(PrewarmPolicyTest, WhatCannotBePreparedIsLeftUntilALaunchAsks) {
  prewarm_.failed(kPython);
  EXPECT_EQ(fill(kPython), 0);
  prewarm_.launched(kPython, false, kStart);
  EXPECT_GT(fill(kPython), 0);
}

TEST_F(PrewarmPolicyTest, NothingIsKeptForBuilds) {
  const auto build = sandbox_kind(LaunchPurpose::build, Runtime::go, 1024);
  prewarm_.launched(build, false, kStart);
  EXPECT_EQ(fill(build), 0);
}

TEST(SandboxKindTest, OnlyNodeDependsOnTheMemory) {
  EXPECT_EQ(sandbox_kind(kRun, Runtime::python, 128), sandbox_kind(kRun, Runtime::python, 1024));
  EXPECT_EQ(sandbox_kind(kRun, Runtime::go, 128), sandbox_kind(kRun, Runtime::cpp, 1024));
  EXPECT_NE(sandbox_kind(kRun, Runtime::nodejs, 128), sandbox_kind(kRun, Runtime::nodejs, 1024));
  EXPECT_NE(sandbox_kind(kRun, Runtime::nodejs, 128), sandbox_kind(kRun, Runtime::nodejs, 128, false, 16));
  EXPECT_EQ(sandbox_kind(kRun, Runtime::python, 128), sandbox_kind(kRun, Runtime::python, 128, false, 16));
}

TEST(SandboxKindTest, APurposeThatThereIsNotIsNone) {
  EXPECT_EQ(from_number<LaunchPurpose>(1U), LaunchPurpose::build);
  EXPECT_EQ(from_number<LaunchPurpose>(2U), std::nullopt);
}

TEST(SandboxKindTest, ANetworkMakesAnother) {
  for (const auto runtime : {Runtime::python, Runtime::nodejs, Runtime::cpp})
    EXPECT_NE(sandbox_kind(kRun, runtime, 128), sandbox_kind(kRun, runtime, 128, true));
  EXPECT_EQ(sandbox_kind(LaunchPurpose::build, Runtime::cpp, 128, true),
            sandbox_kind(LaunchPurpose::build, Runtime::cpp, 128));
}

}  // namespace
}  // namespace infra::sandbox
