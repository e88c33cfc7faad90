// What a function says never costs the worker more than the function: memory, by counting every allocation of this
// process. `./dev bench frames` has the processor's time.
#include <gtest/gtest.h>

#include <optional>

#include "core/job_result.h"
#include "core/limits.h"
#include "support/counted_heap.h"
#include "support/real_clock.h"
#include "support/spoken_frame.h"
#include "worker/instances/call_frame.h"
#include "worker/instances/outcome.h"
#include "worker/runner/exchange.h"

namespace infra::worker {
namespace {

using testing::Speaker;
using testing::SpokenFrame;

class AnswerCostTest : public ::testing::Test {
 protected:
  // What a call comes to whose runner says that.
  JobResult hear(const SpokenFrame& frame) {
    const Speaker runner(frame);
    begin();
    RealClock clock;
    Conversation conversation(runner.handles(), clock,
                              {.kind = kAnswerFrame, .budget = &budget_, .owner = "f", .cost = 4}, "");
    Exchange talk = conversation.finish(std::chrono::steady_clock::now() + std::chrono::minutes(5));
    JobResult result;
    if (talk.end != ExchangeEnd::answered) {
      apply_refusal(result, talk.refusal.value_or(Error()));
      return result;
    }
    auto answer = parse_answer(std::move(talk.answer), {"r"});
    result.claim = std::move(talk.claim);
    if (answer) {
      apply_answer(result, std::move(*answer), Runtime::python);
    } else {
      apply_refusal(result, answer.error());
    }
    return result;
  }
  void begin() { heap_.begin(); }
  // The most that was allocated since begin().
  [[nodiscard]] std::size_t cost() const { return heap_.most(); }

  ByteBudget budget_{64 * limits::kMiB};

 private:
  testing::CountedHeap heap_;
};

TEST_F(AnswerCostTest, WhatIsNoResultCosts16MiBAtTheMost) {
  for (const auto& frame : testing::useless_frames()) {
    const JobResult result = hear(frame);
    EXPECT_EQ(result.error_code, "runner_broken") << frame.name;
    EXPECT_LE(cost(), 16 * limits::kMiB) << frame.name;
  }
  EXPECT_EQ(budget_.use().bytes, 0U);
}

TEST_F(AnswerCostTest, AValidOneCostsThreeTimesItsJsonAtTheMost) {
  constexpr std::size_t kMost = limits::kMaxResultBytes;
  for (const auto& frame :
       {SpokenFrame{"numbers", R"({"requestId":"r","ok":true,"value":[0)", ",0", "]}", kMost},
        SpokenFrame{"text", R"({"requestId":"r","ok":true,"value":")", "text", R"("})", kMost},
        SpokenFrame{"escapes", R"({"requestId":"r","ok":true,"value":")", "\\n", R"("})", kMost},
        SpokenFrame{"strings", R"({"requestId":"r","ok":true,"value":[")", R"(",")", R"("]})", kMost}}) {
    std::optional<JobResult> result = hear(frame);
    ASSERT_EQ(result->status, RunStatus::success) << frame.name;
    EXPECT_GE(budget_.use().bytes, 4 * frame.size()) << frame.name;
    const std::string json = to_json(*result);
    EXPECT_LE(cost(), 3 * json.size()) << frame.name;
    result.reset();
    EXPECT_EQ(budget_.use().bytes, 0U) << frame.name;
  }
}

// It is read back for whoever asks, without being built anew.
TEST_F(AnswerCostTest, AStoredResultIsReadForThreeTimesItsJsonAtTheMost) {
  JobResult result;
  result.status = RunStatus::success;
  result.value = "[" + std::string(limits::kMaxResultBytes - 2, '1') + "]";
  for (std::size_t i = 2; i < result.value.size() - 1; i += 2) result.value[i] = ',';
  result.value[result.value.size() - 2] = '1';
  result.out = result.value;
  const std::string json = to_json(result);
  begin();
  EXPECT_TRUE(parse_job_result(json));
  EXPECT_LE(cost(), 2 * json.size());
  const std::string hostile = R"({"exitCode":0,"outputFiles":[)" + result.value.substr(1) + R"(,"durationMs":)" +
                              result.value + R"(,"workerId":)" + result.value + "}";
  begin();
  EXPECT_TRUE(parse_job_result(hostile));
  EXPECT_LE(cost(), limits::kMiB);
}

}  // namespace
}  // namespace infra::worker
