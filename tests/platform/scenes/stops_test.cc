// How a program ends that is asked to while it has work: whoever still waits at the deadline is told where the result
// will be, and what was accepted runs after the next start, once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "platform/scenes/scene.h"

namespace infra::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

constexpr std::uint64_t kSeeds = 10;
constexpr seconds kDeadline{1};

// As long as their input says, in seconds.
class StopsTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  StopsTest() {
    scene_.functions().add("sleeper", [](const FunctionCall& call) {
      if (call.loads) return FunctionPlan{};
      return FunctionPlan{.takes = milliseconds(static_cast<int>(1000 * std::stod(call.input))), .text = R"("slept")"};
    });
    function_ = scene_.upload("sleeper");
  }
  void await_running(int count) {
    scene_.await([&] { return scene_.metric("jobs_running") >= count; }, "the runs' start");
  }
  Scene scene_{GetParam(), {{"SHUTDOWN_TIMEOUT_SECONDS", std::to_string(kDeadline.count())}}};
  std::string function_;
};
INSTANTIATE_TEST_SUITE_P(Seeds, StopsTest, ::testing::Range(std::uint64_t{0}, kSeeds));

TEST_P(StopsTest, WhatEndsBeforeTheDeadlineIsAnswered) {
  const auto waiting = scene_.start_all(function_, "0.9", 3);
  await_running(3);
  scene_.machine().stop();
  scene_.world().pass(milliseconds(100));
  EXPECT_TRUE(scene_.run(scene_.client().get("/functions")).refused);
  EXPECT_TRUE(scene_.machine().runs());
  scene_.await_all(waiting);
  for (const auto& one : waiting) {
    EXPECT_EQ(one->answer.status, 200) << one->answer.body;
    EXPECT_EQ(one->answer.text("result"), "slept");
  }
  scene_.machine().stop_and_wait();
  EXPECT_EQ(scene_.machine().gave_up(), "");
}

TEST_P(StopsTest, WhoeverStillWaitsAtTheEndGets503AndTheJob) {
  const auto waiting = scene_.start_all(function_, "60", 2);
  await_running(2);
  const WorldTime begun = scene_.now();
  scene_.machine().stop_and_wait();
  EXPECT_THAT(scene_.now() - begun, AllOf(Ge(kDeadline), Le(kDeadline + seconds(1))));
  EXPECT_EQ(scene_.machine().gave_up(), "");
  scene_.await_all(waiting);
  scene_.machine().boot_and_wait();
  for (const auto& one : waiting) {
    const Answer& answer = one->answer;
    ASSERT_EQ(answer.status, 503) << answer.body;
    EXPECT_EQ(answer.headers.find("x-request-id"), answer.text("jobId"));
    EXPECT_EQ(answer.text("requestId"), answer.text("jobId"));
    EXPECT_EQ(scene_.await_result(answer.text("jobId")).at("status"), "ERROR") << "stopped and settled";
  }
}

TEST_P(StopsTest, AsyncJobsAreGivenBackAndRunAfterTheNextStart) {
  std::vector<std::string> jobs{scene_.begin(function_, "3")};
  await_running(1);
  for (int i = 0; i < 40; ++i) jobs.push_back(scene_.begin(function_, "0.01"));
  scene_.restart();
  for (const auto& job : jobs) {
    const auto result = scene_.await_result(job);
    EXPECT_EQ(result.at("status"), "SUCCESS");
    EXPECT_EQ(result.at("result"), "slept");
  }
  EXPECT_EQ(scene_.log_of(function_).size(), jobs.size()) << "each once";
  EXPECT_EQ(scene_.row_of(function_).at("invocations"), jobs.size());
  EXPECT_EQ(scene_.metric("job_strikes_total"), 0) << "a stop is no crash";
  scene_.machine().stop_and_wait();
  EXPECT_EQ(scene_.machine().gave_up(), "");
}

}  // namespace
}  // namespace infra::sim
