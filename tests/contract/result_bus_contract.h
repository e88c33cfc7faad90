// What every ResultBus promises. `Engine` is an EngineWorld with a `bus()`; kSlack, how far its clock moves by itself
// while a test looks away; and kKeepsAsyncLonger, whether asynchronous results stay past their hour.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "contract/engine_world.h"
#include "core/limits.h"
#include "ports/result_bus.h"

namespace infra {

inline Job bus_job(const std::string& id, RunMode mode) {
  Job job;
  job.request_id = {id};
  job.function_id = {"f"};
  job.mode = mode;
  return job;
}

inline SharedResult make_result(const std::string& id, const std::string& out) {
  JobResult result;
  result.request_id = {id};
  result.function_id = {"f"};
  result.status = RunStatus::success;
  result.out = out;
  result.value = R"({"pi":3.1,"s":"ü"})";
  result.handler_ms = 1.5;
  return std::make_shared<const JobResult>(std::move(result));
}

template <typename Engine>
class ResultBusContract : public ::testing::Test {
 protected:
  ResultBus& bus() { return engine_.bus(); }
  void publish(const std::string& id, const std::string& out, RunMode mode = RunMode::async) {
    Job job = bus_job(id, mode);
    job.reply_to = bus().reply_channel();
    const auto done = engine_.run(bus().publish(job, make_result(id, out)));
    ASSERT_TRUE(done) << done.error().message;
  }
  std::unique_ptr<ResultWaiter> expect(const std::string& id) { return std::move(*engine_.run(bus().expect({id}))); }
  Result<StoredResult> find(const std::string& id) { return engine_.run(bus().find({id})); }
  // "none", "pending", or what the function printed.
  std::string state(const std::string& id) {
    const auto found = find(id);
    if (!found) return found.error().kind == ErrorKind::not_found ? "none" : found.error().message;
    return found->finished() ? parse_job_result(found->json)->out : "pending";
  }
  struct Waited {
    std::optional<Result<SharedResult>> outcome;
    std::atomic<bool> done = false;
  };
  static Task<void> wait(ResultWaiter& waiter, SteadyTime deadline, Waited& waited) {
    waited.outcome = co_await waiter.wait_until(deadline);
    waited.done = true;
    waited.done.notify_all();
  }

  Engine engine_;
};

TYPED_TEST_SUITE_P(ResultBusContract);

TYPED_TEST_P(ResultBusContract, TheWaiterHearsAResultThatComesBeforeItWaits) {
  for (const RunMode mode : {RunMode::sync, RunMode::async}) {
    const auto waiter = this->expect("r");
    this->publish("r", "hello", mode);
    const auto got = this->engine_.run(waiter->wait_until(this->engine_.deadline_in(limits::kSyncWait)));
    ASSERT_TRUE(got);
    EXPECT_EQ((*got)->out, "hello");
  }
}

TYPED_TEST_P(ResultBusContract, TheWaiterHearsAResultThatComesWhileItWaits) {
  const auto waiter = this->expect("r");
  const auto other = this->expect("other");
  typename TestFixture::Waited waited;
  this->engine_.spawn(this->wait(*waiter, this->engine_.deadline_in(limits::kSyncWait), waited));
  this->engine_.await_sleepers(1);
  this->publish("r", "hello", RunMode::sync);
  waited.done.wait(false);
  ASSERT_TRUE(*waited.outcome);
  EXPECT_EQ((**waited.outcome)->out, "hello");
  EXPECT_EQ(this->engine_.run(other->wait_until(SteadyTime::min())).error().kind, ErrorKind::timeout);
}

TYPED_TEST_P(ResultBusContract, AnOverdueJobIsPendingAndItsResultIsFound) {
  auto waiter = this->expect("r");
  typename TestFixture::Waited waited;
  this->engine_.spawn(this->wait(*waiter, this->engine_.deadline_in(limits::kSyncWait), waited));
  this->engine_.await_sleepers(1);
  this->engine_.advance(limits::kSyncWait);
  waited.done.wait(false);
  EXPECT_EQ(waited.outcome->error().kind, ErrorKind::timeout);
  waiter.reset();
  EXPECT_EQ(this->state("r"), "pending");
  this->publish("r", "late", RunMode::sync);
  EXPECT_EQ(this->state("r"), "late");
}

TYPED_TEST_P(ResultBusContract, PendingThenResultThenExpired) {
  for (const RunMode mode : {RunMode::sync, RunMode::async}) {
    const std::string id = mode == RunMode::sync ? "s" : "a";
    EXPECT_EQ(this->state(id), "none");
    ASSERT_TRUE(this->engine_.run(this->bus().mark_pending({id})));
    EXPECT_EQ(this->state(id), "pending");
    this->publish(id, "done", mode);
    EXPECT_EQ(this->state(id), "done");
    const auto found = this->find(id);
    EXPECT_EQ(parse_job_result(found->json)->value, R"({"pi":3.1,"s":"ü"})");
    EXPECT_EQ(parse_job_result(found->json)->handler_ms, 1.5);
    this->engine_.advance(limits::kResultTtl - milliseconds{1} - TypeParam::kSlack);
    EXPECT_EQ(this->state(id), "done");
    this->engine_.advance(milliseconds{1} + TypeParam::kSlack);
    const bool stays = mode == RunMode::async && TypeParam::kKeepsAsyncLonger;
    EXPECT_EQ(this->state(id), stays ? "done" : "none");
  }
}

TYPED_TEST_P(ResultBusContract, ForgottenIsUnknown) {
  ASSERT_TRUE(this->engine_.run(this->bus().mark_pending({"r"})));
  ASSERT_TRUE(this->engine_.run(this->bus().forget({"r"})));
  EXPECT_EQ(this->state("r"), "none");
}

TYPED_TEST_P(ResultBusContract, TheFirstResultStays) {
  for (const RunMode mode : {RunMode::sync, RunMode::async}) {
    const std::string id = mode == RunMode::sync ? "s" : "a";
    this->publish(id, "first", mode);
    this->publish(id, "second", mode);
    EXPECT_EQ(this->state(id), "first");
  }
}

TYPED_TEST_P(ResultBusContract, AbandonedWaitersLeaveAtOnce) {
  const auto waiter = this->expect("r");
  typename TestFixture::Waited waited;
  this->engine_.spawn(this->wait(*waiter, this->engine_.deadline_in(limits::kSyncWait), waited));
  this->engine_.await_sleepers(1);
  this->bus().abandon_waiters();
  waited.done.wait(false);
  EXPECT_EQ(waited.outcome->error().code, "shutting_down");
  const auto later = this->expect("q");
  EXPECT_EQ(this->engine_.run(later->wait_until(this->engine_.deadline_in(limits::kSyncWait))).error().code,
            "shutting_down");
}

REGISTER_TYPED_TEST_SUITE_P(ResultBusContract, TheWaiterHearsAResultThatComesBeforeItWaits,
                            TheWaiterHearsAResultThatComesWhileItWaits, AnOverdueJobIsPendingAndItsResultIsFound,
                            PendingThenResultThenExpired, ForgottenIsUnknown, TheFirstResultStays,
                            AbandonedWaitersLeaveAtOnce);

}  // namespace infra
