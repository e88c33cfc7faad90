// The use cases' promises: order of steps, what is undone when one fails, and once means once.
#include <gmock/gmock.h>

#include "app/adopt_result.h"
#include "app/invoke_function.h"
#include "app/settle_in_steps.h"
#include "app/settle_job.h"
#include "app/test_app.h"
#include "core/error_codes.h"
#include "core/object_keys.h"
#include "core/operator_error_codes.h"
#include "support/fake_ports.h"
#include "support/manual_clock.h"
#include "support/metric_value.h"
#include "support/run_task.h"

namespace infra::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST_F(AppTest, SyncRunRegistersItsWaiterBeforeItsJobIsHandedOut) {
  const auto result = run_task(invoke_.run(invocation(RunMode::sync)));
  ASSERT_TRUE(result);
  EXPECT_NE(*result, nullptr);
  EXPECT_THAT(journal_.calls, ElementsAre("functions.find", "results.expect", "queue.enqueue"));
  ASSERT_THAT(queue_.jobs, SizeIs(1));
  const Job& job = queue_.jobs.front();
  EXPECT_EQ(job.memory_mb, 256);
  EXPECT_EQ(job.network, Network::egress);
  EXPECT_EQ(job.keep_warm, 2);
  EXPECT_EQ(job.max_concurrency, 0);
  EXPECT_EQ(job.code.sha256, "old");
  EXPECT_EQ(job.input, "{\"n\":1}");
  EXPECT_EQ(job.model_id, "m");
  EXPECT_EQ(job.reply_to, "here");
  EXPECT_EQ(job.traceparent, "t");
  EXPECT_EQ(job.accepted_at, clock_.now());
}

TEST_F(AppTest, AsyncRunIsAcceptedOnlyWhenItsJobIsDurable) {
  const auto result = run_task(invoke_.run(invocation(RunMode::async)));
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, nullptr);
  EXPECT_THAT(journal_.calls, ElementsAre("functions.find", "results.mark_pending", "queue.enqueue"));
}

TEST_F(AppTest, AsyncRunThatCannotBeQueuedLeavesNoPendingResult) {
  journal_.failing = "queue.enqueue";
  EXPECT_EQ(run_task(invoke_.run(invocation(RunMode::async))).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(journal_.calls.back(), "results.forget");
}

TEST_F(AppTest, UnknownFunctionQueuesNothing) {
  auto unknown = invocation(RunMode::async);
  unknown.function = {"nobody"};
  EXPECT_EQ(run_task(invoke_.run(std::move(unknown))).error().kind, ErrorKind::not_found);
  EXPECT_THAT(queue_.jobs, IsEmpty());
}

TEST_F(AppTest, AFunctionWithoutCodeIsRefusedBeforeAnythingIsPromised) {
  functions_.rows[{"f"}].code = {};
  for (const RunMode mode : {RunMode::sync, RunMode::async}) {
    const auto refused = run_task(invoke_.run(invocation(mode)));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::conflict);
    EXPECT_EQ(refused.error().code, "function_has_no_code");
  }
  EXPECT_THAT(journal_.calls, ElementsAre("functions.find", "functions.find"));
}

TEST_F(AppTest, EndOfWaitSaysThatTheJobGoesOn) {
  results_.outcome = fail(errors::result_timeout, "x");
  EXPECT_EQ(run_task(invoke_.run(invocation(RunMode::sync))).error().code, "wait_timeout");
}

class LimitedRunTest : public AppTest {
 protected:
  LimitedRunTest() { functions_.rows[{"f"}].max_concurrency = 3; }
};

TEST_F(LimitedRunTest, ItIsCountedBeforeAnythingIsPromised) {
  ASSERT_TRUE(run_task(invoke_.run(invocation(RunMode::sync))));
  EXPECT_THAT(journal_.calls, ElementsAre("functions.find", "limiter.admit", "results.expect", "queue.enqueue"));
  EXPECT_EQ(queue_.jobs.front().max_concurrency, 3);
  EXPECT_THAT(limiter_.outstanding, ElementsAre(queue_.jobs.front().request_id.value));
}

TEST_F(LimitedRunTest, PastTheBoundItIsRefusedAndLeavesNothing) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(run_task(invoke_.run(invocation(RunMode::async))));
  EXPECT_EQ(testing::metric_value(metrics_, "function_busy_refusals_total"), 0);
  journal_.calls.clear();
  for (const RunMode mode : {RunMode::sync, RunMode::async}) {
    const auto refused = run_task(invoke_.run(invocation(mode)));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::rate_limited);
    EXPECT_EQ(refused.error().code, "function_busy");
    EXPECT_EQ(refused.error().retry_after, std::chrono::seconds{1});
    EXPECT_THAT(refused.error().message, ::testing::HasSubstr("at most 3 times at once (its maxConcurrency), and 2"));
  }
  EXPECT_THAT(journal_.calls, ElementsAre("functions.find", "limiter.admit", "functions.find", "limiter.admit"));
  EXPECT_EQ(testing::metric_value(metrics_, "function_busy_refusals_total"), 2);
  EXPECT_THAT(queue_.jobs, SizeIs(5));
}

TEST_F(LimitedRunTest, WhatIsNotQueuedDoesNotCount) {
  journal_.failing = "queue.enqueue";
  for (const RunMode mode : {RunMode::sync, RunMode::async}) {
    EXPECT_FALSE(run_task(invoke_.run(invocation(mode))));
    EXPECT_THAT(limiter_.outstanding, IsEmpty());
  }
}

TEST_F(LimitedRunTest, WhatGoesOnAfterItsClientGoesOnCounting) {
  results_.outcome = fail(errors::result_timeout, "x");
  EXPECT_EQ(run_task(invoke_.run(invocation(RunMode::sync))).error().code, "wait_timeout");
  EXPECT_THAT(limiter_.outstanding, SizeIs(1));
}

TEST_F(LimitedRunTest, WhereNobodyCanCountTheJobIsHandedOut) {
  journal_.failing = "limiter.admit";
  EXPECT_TRUE(run_task(invoke_.run(invocation(RunMode::async))));
  EXPECT_THAT(queue_.jobs, SizeIs(1));
}

TEST_F(AppTest, ARunAndAWaitThatEndsAreEvents) {
  ASSERT_TRUE(run_task(invoke_.run(invocation(RunMode::async))));
  EXPECT_THAT(told(), ElementsAre("Run Request"));
  results_.outcome = fail(errors::result_timeout, "x");
  EXPECT_FALSE(run_task(invoke_.run(invocation(RunMode::sync))));
  EXPECT_THAT(told(), ElementsAre(StartsWith("Timeout"), "Run Request", "Run Request"));
  const auto events = events_.newest_first();
  EXPECT_EQ(events[0].level, log::Level::warn);
  EXPECT_EQ(events[0].function, "f");
  EXPECT_EQ(events[0].request, events[1].request);
  auto unknown = invocation(RunMode::sync);
  unknown.function = {"nobody"};
  EXPECT_FALSE(run_task(invoke_.run(std::move(unknown))));
  EXPECT_THAT(told(), SizeIs(3));
}

class SettleTest : public AppTest {
 protected:
  Delivery delivery(int receives = 1) {
    Delivery delivery{.job = {}, .receipt = "receipt", .receives = receives};
    delivery.job.request_id = id_;
    delivery.job.function_id = {"f"};
    return delivery;
  }
  JobResult result(FunctionId function = {"f"}) {
    JobResult result;
    result.request_id = id_;
    result.function_id = std::move(function);
    result.status = RunStatus::success;
    result.duration_ms = 5;
    result.handler_ms = 2.5;
    return result;
  }
  Result<void> settle(const Delivery& delivery, JobResult result) {
    settle_.complete(delivery.job, result);
    return run_task(settle_.settle(delivery, std::make_shared<const JobResult>(std::move(result))));
  }

  RequestId id_ = ids_.request_id();
  double counted() {
    return testing::metric_value(metrics_, R"(function_invocations_total{functionId="f",status="SUCCESS"})");
  }

  SettleInSteps store_{results_, recorder_, queue_};
  SettleJob settle_{store_, results_, logs_, clock_, events_, &metrics_};
};

TEST_F(SettleTest, TellsKeepsRecordsAndOnlyThenDeletes) {
  ASSERT_TRUE(settle(delivery(), result()));
  EXPECT_THAT(journal_.calls, ElementsAre("results.publish", "recorder.record", "queue.acknowledge"));
  EXPECT_EQ(counted(), 1);
  ASSERT_THAT(logs_.rows, SizeIs(1));
  const LogRow& row = logs_.rows.begin()->second;  // what the counters are added up from
  EXPECT_EQ(row.function_id, FunctionId{"f"});
  EXPECT_EQ(row.duration_ms, 5);
  EXPECT_EQ(row.handler_ms, 2.5);
}

TEST_F(SettleTest, AResultIsToldWithWhatTheRunsBeforeItAdvise) {
  Delivery once = delivery();
  JobResult small = result();
  once.job.memory_mb = small.allocated_memory_mb = 1024;
  small.peak_memory_bytes = 40 << 20;
  for (int i = 1; i <= 10; ++i) {
    once.job.request_id = small.request_id = ids_.request_id();
    ASSERT_TRUE(settle(once, small));
    EXPECT_EQ(results_.published.back()->recommended_memory_mb.has_value(), i >= 10) << i;
    ASSERT_TRUE(settle(once, small));  // it came again, and its row was there: no second run
  }
}

TEST_F(SettleTest, SecondSettlementIsNotCountedButDeletesItsMessage) {
  ASSERT_TRUE(settle(delivery(), result()));
  ASSERT_TRUE(settle(delivery(2), result()));
  EXPECT_THAT(logs_.rows, SizeIs(1));
  EXPECT_EQ(counted(), 1);
  EXPECT_EQ(journal_.calls.back(), "queue.acknowledge");
}

TEST_F(SettleTest, TheRowOfALaterStartTellsOfTheOutputFilesThatWereTold) {
  const auto of_start = [&](int attempt) {
    JobResult of = result();
    if (attempt > 0) of.output_files = {{.name = "a", .key = output_key({"f"}, id_, "a", attempt)}};
    return of;
  };
  const auto row_after = [&](int receives) {
    logs_.rows.clear();
    EXPECT_TRUE(settle(delivery(receives), of_start(receives)));
    return logs_.rows.begin()->second.output_attempt;
  };
  EXPECT_EQ(row_after(1), 1);
  EXPECT_EQ(row_after(2), 2) << "nothing was told before";
  for (const int told : {1, 0}) {  // by a start that died before its row was put
    results_.stored = std::make_shared<const JobResult>(of_start(told));
    EXPECT_EQ(row_after(2), told);
  }
}

TEST_F(SettleTest, TheRowIsOfTheResultThatWasTold) {
  results_.stored = std::make_shared<const JobResult>(result());  // by a start that died before its row was put
  Delivery last = delivery(limits::kMaxReceives + 1);
  ASSERT_TRUE(settle(last, platform_error(last.job, {errors::worker_lost, "lost"})));
  ASSERT_THAT(logs_.rows, SizeIs(1));
  const LogRow& row = logs_.rows.begin()->second;
  EXPECT_EQ(row.status, RunStatus::success);
  EXPECT_EQ(row.handler_ms, 2.5);
  EXPECT_EQ(row.error_code, "");
  EXPECT_GT(row.expires_at, clock_.now());
}

TEST_F(SettleTest, MessageStaysWhenAnythingBeforeItFails) {
  for (const char* step : {"results.publish", "recorder.record"}) {
    journal_.calls.clear();
    journal_.failing = step;
    logs_.rows.clear();
    EXPECT_FALSE(settle(delivery(), result())) << step;
    EXPECT_EQ(journal_.calls.back(), step);
  }
  EXPECT_THAT(told(), SizeIs(1));  // however often it is tried
}

TEST_F(SettleTest, ItsEventIsThereBeforeWhoeverWaitsIsTold) {
  journal_.failing = "results.publish";
  EXPECT_FALSE(settle(delivery(), result()));
  EXPECT_THAT(told(), ElementsAre("Function Executed: f"));
  EXPECT_EQ(events_.newest_first().front().run->duration_ms, 5);
}

TEST_F(SettleTest, WhatWasReceivedTooOftenIsBuried) {
  ASSERT_TRUE(settle(delivery(limits::kMaxReceives + 1), result()));
  EXPECT_EQ(journal_.calls.back(), "queue.bury");
}

TEST_F(SettleTest, KnowsWhatIsSettled) {
  EXPECT_FALSE(run_task(settle_.is_settled(delivery().job)).value());
  ASSERT_TRUE(settle(delivery(), result()));
  EXPECT_TRUE(run_task(settle_.is_settled(delivery().job)).value());
  journal_.failing = "logs.find";
  EXPECT_FALSE(run_task(settle_.is_settled(delivery().job)).has_value());
}

TEST_F(SettleTest, AReferenceControllersJobIsToldAndNeitherLoggedNorCounted) {
  id_ = {"6f1c2f6e-6a55-4a0c-9d2b-0d6d1b1f7a11"};
  EXPECT_FALSE(run_task(settle_.is_settled(delivery().job)).value());
  ASSERT_TRUE(settle(delivery(), result()));
  EXPECT_THAT(journal_.calls, ElementsAre("results.publish", "queue.acknowledge"));
  EXPECT_EQ(counted(), 0);
  results_.stored = results_.published.back();
  EXPECT_TRUE(run_task(settle_.is_settled(delivery(2).job)).value());
}

TEST_F(SettleTest, AJobWhoseFunctionNobodyKnowsIsToldAndHasNoRow) {
  Delivery nameless = delivery();
  nameless.job.function_id = {};
  EXPECT_FALSE(run_task(settle_.is_settled(nameless.job)).value());
  ASSERT_TRUE(settle(nameless, result({})));
  EXPECT_THAT(journal_.calls, ElementsAre("results.publish", "queue.acknowledge"));
}

class AdoptTest : public SettleTest {
 protected:
  AdoptResult adopt_{recorder_, clock_};
};

TEST_F(AdoptTest, AReferenceWorkersResultIsRecordedUnderItsRequestsTime) {
  ASSERT_TRUE(run_task(adopt_.adopt(result())));
  ASSERT_THAT(logs_.rows, SizeIs(1));
  EXPECT_EQ(logs_.rows.begin()->second.timestamp, log_timestamp(id_, {}));
  ASSERT_TRUE(run_task(adopt_.adopt(result())));  // another controller heard it too
  EXPECT_THAT(logs_.rows, SizeIs(1));
}

TEST_F(AdoptTest, WhatIsNotOursOrNamesNoFunctionIsLeftAlone) {
  JobResult nameless = result();
  nameless.function_id = {};
  EXPECT_TRUE(run_task(adopt_.adopt(nameless)));
  JobResult foreign = result();
  foreign.request_id = {"6f1c2f6e-6a55-4a0c-9d2b-0d6d1b1f7a11"};
  EXPECT_TRUE(run_task(adopt_.adopt(foreign)));
  EXPECT_THAT(journal_.calls, IsEmpty());
}

}  // namespace
}  // namespace infra::app
