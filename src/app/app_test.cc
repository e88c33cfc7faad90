// The use cases' promises: order of steps, what is undone when one fails, and once means once.
#include <gmock/gmock.h>

#include "app/adopt_result.h"
#include "app/deploy_function.h"
#include "app/invoke_function.h"
#include "app/settle_in_steps.h"
#include "app/settle_job.h"
#include "core/error_codes.h"
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

class AppTest : public ::testing::Test {
 protected:
  AppTest() {
    Function function;
    function.id = {"f"};
    function.code = {"functions/f/1.zip", "old"};
    function.memory_mb = 256;
    function.network = Network::egress;
    function.keep_warm = 2;
    functions_.rows[function.id] = function;
  }

  [[nodiscard]] std::vector<std::string> told() const {
    std::vector<std::string> messages;
    for (const auto& event : events_.newest_first()) messages.push_back(event.message);
    return messages;
  }

  Invocation invocation(RunMode mode) {
    return {.id = ids_.request_id(),
            .function = {"f"},
            .input = "{\"n\":1}",
            .model_id = "m",
            .mode = mode,
            .traceparent = "t"};
  }

  fakes::Journal journal_;
  ManualClock clock_;
  fakes::CountingRandom random_;
  fakes::InlineExecutor executor_;
  fakes::FakeFunctions functions_{journal_};
  fakes::FakeCode code_{journal_};
  fakes::FakeQueue queue_{journal_};
  fakes::FakeResults results_{journal_};
  fakes::FakeLogs logs_{journal_};
  fakes::FakeRecorder recorder_{journal_, logs_};
  IdSource ids_{clock_, random_};
  EventRing events_{UuidRandom{}};
  fakes::FakeLimiter limiter_{journal_};
  Metrics metrics_;
  InvokeFunction invoke_{
      functions_, queue_, results_, clock_, events_, metrics_, {.limiter = limiter_, .max_waiting = 2}};
};

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

class FakeBundle : public StagedFile {
 public:
  Task<Result<void>> append(std::span<const char>) override { co_return Result<void>{}; }
  Task<Result<void>> finish() override { co_return Result<void>{}; }
  [[nodiscard]] const std::filesystem::path& path() const override { return path_; }
  [[nodiscard]] std::uint64_t size() const override { return 1; }
  [[nodiscard]] const std::string& sha256() const override { return sha256_; }

 private:
  std::filesystem::path path_ = "staged";
  std::string sha256_ = "new";
};

class FakePreparer : public BundlePreparer {
 public:
  explicit FakePreparer(fakes::Journal& journal) : journal_(journal) {}
  Task<Result<void>> prepare(std::filesystem::path, std::string, Runtime, std::string) override {
    (void)journal_.note("preparer.prepare");
    if (!failure) co_return Result<void>{};
    co_return fail(*failure);
  }
  std::optional<Error> failure;

 private:
  fakes::Journal& journal_;
};

class NoEgress : public EgressCheck {
 public:
  Task<Result<void>> check_egress() override { co_return fail(errors::egress_unavailable, "There is no nft."); }
};

class DeployTest : public AppTest {
 protected:
  Result<Function> deploy_source(std::optional<Error> failure) {
    reader_.entries = {{.name = "main.cpp"}};
    preparer_.failure = std::move(failure);
    DeployFunction deploy(functions_, code_, reader_, executor_, clock_, ids_, events_, &preparer_);
    auto compiled = wanted();
    compiled.runtime = Runtime::cpp;
    return run_task(deploy.create(compiled, std::make_unique<FakeBundle>()));
  }

  static NewFunction wanted() {
    NewFunction wanted;
    wanted.name = "n";
    return wanted;
  }

  fakes::FakeReader reader_;
  FakePreparer preparer_{journal_};
  DeployFunction deploy_{functions_, code_, reader_, executor_, clock_, ids_, events_};
};

TEST_F(DeployTest, AnObserverIsToldOfEveryChangeThatHolds) {
  fakes::FakeObserver observer(&Function::memory_mb);
  DeployFunction deploy(functions_, code_, reader_, executor_, clock_, ids_, events_, nullptr, nullptr, &observer);
  const auto created = run_task(deploy.create(wanted(), std::make_unique<FakeBundle>()));
  ASSERT_TRUE(created);
  FunctionChange change;
  change.set(&FunctionSettings::memory_mb, 512);
  ASSERT_TRUE(run_task(deploy.update(created->id, change, nullptr)));
  ASSERT_TRUE(run_task(deploy.remove(created->id)));
  EXPECT_FALSE(run_task(deploy.update(created->id, change, nullptr)));
  EXPECT_FALSE(run_task(deploy.remove(created->id)));
  const std::string id = created->id.value;
  EXPECT_THAT(observer.told, ElementsAre(id + " 128", id + " 512", id + " is gone"));
  EXPECT_THAT(told(), ElementsAre("Function Deleted", "Function Updated", "Upload Success"));
  for (const auto& event : events_.newest_first()) EXPECT_EQ(event.function, id);
}

TEST_F(DeployTest, EgressIsRefusedWhereThereIsNone) {
  NoEgress none;
  DeployFunction deploy(functions_, code_, reader_, executor_, clock_, ids_, events_, nullptr, &none);
  auto with_egress = wanted();
  with_egress.network = Network::egress;
  const auto refused = run_task(deploy.create(with_egress, std::make_unique<FakeBundle>()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "egress_unavailable");
  const auto created = run_task(deploy.create(wanted(), std::make_unique<FakeBundle>()));
  ASSERT_TRUE(created);
  FunctionChange change;
  change.set(&FunctionSettings::network, Network::egress);
  EXPECT_FALSE(run_task(deploy.update(created->id, change, nullptr)));
  change.set(&FunctionSettings::network, Network::none);
  EXPECT_TRUE(run_task(deploy.update(created->id, change, nullptr)));
}

TEST_F(DeployTest, StoresTheBundleBeforeTheRowNamesIt) {
  const auto created = run_task(deploy_.create(wanted(), std::make_unique<FakeBundle>()));
  ASSERT_TRUE(created);
  EXPECT_THAT(journal_.calls, ElementsAre("code.put_bundle", "functions.insert"));
  EXPECT_EQ(functions_.rows.at(created->id).code.sha256, "new");
}

TEST_F(DeployTest, RefusedBundleTouchesNothing) {
  reader_.entries = {{.name = "other.py"}};
  EXPECT_EQ(run_task(deploy_.create(wanted(), std::make_unique<FakeBundle>())).error().code, "bundle_entry_missing");
  EXPECT_THAT(journal_.calls, IsEmpty());
}

TEST_F(DeployTest, ReadyBinaryThatCannotRunHereTouchesNothing) {
  reader_.entries = {{.name = "main"}};
  reader_.program = "#!/bin/sh";
  auto compiled = wanted();
  compiled.runtime = Runtime::go;
  const auto created = run_task(deploy_.create(compiled, std::make_unique<FakeBundle>()));
  EXPECT_EQ(created.error().code, "invalid_executable");
  EXPECT_THAT(journal_.calls, IsEmpty());
}

TEST_F(DeployTest, SourceIsCompiledBeforeItIsStored) {
  ASSERT_TRUE(deploy_source(std::nullopt));
  EXPECT_THAT(journal_.calls, ElementsAre("preparer.prepare", "code.put_bundle", "functions.insert"));
}

TEST_F(DeployTest, SourceThatDoesNotCompileIsNotStored) {
  const auto created = deploy_source(Error{errors::compile_error, "main.cpp:1: error"});
  EXPECT_EQ(created.error().message, "main.cpp:1: error");
  EXPECT_THAT(journal_.calls, ElementsAre("preparer.prepare"));
}

TEST_F(DeployTest, SourceIsStoredWhereNoCompilerIsAtHand) {
  EXPECT_TRUE(deploy_source(Error{errors::compiler_missing, "No g++."}));
}

TEST_F(DeployTest, ScriptsAreUnpackedBeforeTheyAreStored) {
  DeployFunction deploy(functions_, code_, reader_, executor_, clock_, ids_, events_, &preparer_);
  ASSERT_TRUE(run_task(deploy.create(wanted(), std::make_unique<FakeBundle>())));
  EXPECT_THAT(journal_.calls, ElementsAre("preparer.prepare", "code.put_bundle", "functions.insert"));
}

TEST_F(DeployTest, BundleWhoseRowCannotBeWrittenIsRetired) {
  journal_.failing = "functions.insert";
  EXPECT_FALSE(run_task(deploy_.create(wanted(), std::make_unique<FakeBundle>())));
  EXPECT_THAT(code_.retired, ElementsAre("new"));
}

// A store that fails may have written the row before its answer was lost.
TEST_F(DeployTest, BundleWhoseRowWasWrittenAllTheSameStays) {
  journal_.failing_after = "functions.insert";
  const auto created = run_task(deploy_.create(wanted(), std::make_unique<FakeBundle>()));
  ASSERT_TRUE(created);
  EXPECT_TRUE(functions_.rows.contains(created->id));
  journal_.failing_after = "functions.update";
  ASSERT_TRUE(run_task(deploy_.update({"f"}, {}, std::make_unique<FakeBundle>())));
  EXPECT_THAT(code_.retired, ElementsAre("old"));
}

TEST_F(DeployTest, BundleWhoseRowNobodyCanTellOfStays) {
  journal_.failing = "functions.insert";
  journal_.also_failing = "functions.find";
  EXPECT_FALSE(run_task(deploy_.create(wanted(), std::make_unique<FakeBundle>())));
  EXPECT_THAT(code_.retired, IsEmpty());
}

TEST_F(DeployTest, UpdateRetiresTheOldCodeAfterTheRowHasChanged) {
  ASSERT_TRUE(run_task(deploy_.update({"f"}, {}, std::make_unique<FakeBundle>())));
  EXPECT_THAT(journal_.calls,
              ElementsAre("functions.find", "code.put_bundle", "functions.update", "code.retire_bundle"));
  EXPECT_THAT(code_.retired, ElementsAre("old"));
  EXPECT_EQ(functions_.rows.at({"f"}).code.sha256, "new");
}

TEST_F(DeployTest, UpdateOfAFunctionThatVanishedMeanwhileRetiresTheNewCode) {
  journal_.failing = "functions.update";
  EXPECT_FALSE(run_task(deploy_.update({"f"}, {}, std::make_unique<FakeBundle>())));
  EXPECT_THAT(code_.retired, ElementsAre("new"));
}

TEST_F(DeployTest, RemoveRetiresTheCode) {
  ASSERT_TRUE(run_task(deploy_.remove({"f"})));
  EXPECT_THAT(code_.retired, ElementsAre("old"));
  EXPECT_EQ(run_task(deploy_.remove({"f"})).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace infra::app
