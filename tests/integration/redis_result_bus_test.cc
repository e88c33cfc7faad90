// The result bus's contract over a Redis and its subscription, and that a result is found however it was lost on
// its way; reference workers and controllers as neighbours.
#include "adapters/redis/redis_result_bus.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "contract/result_bus_contract.h"
#include "core/error_codes.h"
#include "core/mutex.h"
#include "integration/redis_world.h"

namespace infra::testing {
namespace {

const std::string kId = "019a0000-0000-7000-8000-000000000001";
const std::string kForeignId = "6f1c2f6e-6a55-4a0c-9d2b-0d6d1b1f7a11";

// One controller's bus with its ear.
class Controller {
 public:
  Controller(RedisWorld& world, const std::string& name)
      : bus_(world.redis, world.bucket, world.clock, world.executor,
             {.controller_id = name,
              .subscribed = [this] { return subscriber_->subscribed(); },
              .on_heard = [this](const JobResult&) { ++heard; },
              .on_foreign =
                  [this](JobResult result) {
                    const MutexLock lock(mutex_);
                    recorded_ = std::move(result);
                    ++foreign;
                  },
              .on_reference_worker = [this] { ++noticed; }}),
        subscriber_(world.server.make_subscriber(
            {.channels = {bus_.reply_channel()},
             .patterns = {std::string(RedisResultBus::kReferencePattern)},
             .on_message = [this](std::string_view channel, std::string text) { bus_.hear(channel, std::move(text)); },
             .on_subscribed = [this] { bus_.resubscribed(); }})) {
    subscriber_->start();
    RedisWorld::eventually([&] { return subscriber_->subscribed() && world.redis.connected(); });
  }
  RedisResultBus& bus() { return bus_; }
  [[nodiscard]] bool listens() const { return subscriber_->subscribed(); }

  std::atomic<int> heard = 0;
  std::atomic<int> foreign = 0;
  std::atomic<int> noticed = 0;

  [[nodiscard]] JobResult recorded() {
    const MutexLock lock(mutex_);
    return recorded_;
  }

 private:
  Mutex mutex_;
  JobResult recorded_ INFRA_GUARDED_BY(mutex_);
  RedisResultBus bus_;
  std::unique_ptr<net::RedisSubscriber> subscriber_;
};

class OnRedis : public RedisWorld {
 public:
  static constexpr bool kKeepsAsyncLonger = true;
  OnRedis() : controller(*this, "c-1") {}
  ~OnRedis() override { loops.stop(); }
  RedisResultBus& bus() { return controller.bus(); }

  Controller controller;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Redis, ResultBusContract, OnRedis);

class RedisResultBusTest : public ::testing::Test {
 protected:
  Job job(const std::string& id, RunMode mode) {
    Job job = bus_job(id, mode);
    job.reply_to = world_.bus().reply_channel();
    return job;
  }
  std::string state(const std::string& id, RedisResultBus& bus) {
    const auto found = world_.run(bus.find({id}));
    if (!found) return found.error().kind == ErrorKind::not_found ? "none" : "unavailable";
    return found->finished() ? parse_job_result(found->json)->out : "pending";
  }
  std::string state(const std::string& id) { return state(id, world_.bus()); }
  std::unique_ptr<ResultWaiter> expect(const std::string& id) {
    return std::move(*world_.run(world_.bus().expect({id})));
  }
  std::string await(ResultWaiter& waiter) {
    const auto got = world_.run(waiter.wait_until(world_.deadline_in(limits::kSyncWait)));
    return got ? (*got)->out : got.error().code;
  }

  OnRedis world_;
  RedisResultBus worker_{world_.redis, world_.bucket, world_.clock, world_.executor, {}};
};

TEST_F(RedisResultBusTest, AWorkersResultReachesTheControllerThatWaits) {
  Controller other(world_, "c-2");
  const auto waiter = expect(kId);
  ASSERT_TRUE(world_.run(worker_.publish(job(kId, RunMode::sync), make_result(kId, "hello"))));
  EXPECT_EQ(await(*waiter), "hello");
  RedisWorld::eventually([&] { return world_.controller.heard == 1; });
  EXPECT_EQ(other.heard, 0);
  EXPECT_EQ(world_.bucket.count(), 0U);  // a small result of a sync run is in Redis alone
}

TEST_F(RedisResultBusTest, ALargeResultIsAnnouncedByItsIdAndKeptInTheBucket) {
  const std::string large(200 * 1024, 'x');
  const auto waiter = expect(kId);
  ASSERT_TRUE(world_.run(worker_.publish(job(kId, RunMode::sync), make_result(kId, large))));
  EXPECT_EQ(await(*waiter), large);
  EXPECT_TRUE(world_.bucket.find("results/" + kId + ".json"));
  EXPECT_EQ(world_.ask({"GET", "job:" + kId}), R"({"status":"SUCCESS","requestId":")" + kId +
                                                   R"(","functionId":"f","resultKey":"results/)" + kId + R"(.json"})");
  EXPECT_EQ(state(kId), large);
}

TEST_F(RedisResultBusTest, WhereTheBucketHasLostALargeResultItIsUnknownAndWhereItIsAwayUnavailable) {
  ASSERT_TRUE(world_.run(worker_.publish(job(kId, RunMode::sync), make_result(kId, std::string(100'000, 'x')))));
  ASSERT_TRUE(world_.run(world_.bucket.remove_object("results/" + kId + ".json")));
  EXPECT_EQ(state(kId), "none");
  world_.bucket.fail_with(Error{errors::code_store_unavailable, "Not now."});
  EXPECT_EQ(state(kId), "unavailable");
}

TEST_F(RedisResultBusTest, TheFirstLargeResultStays) {
  const std::string large(100'000, 'x');
  ASSERT_TRUE(world_.run(worker_.publish(job(kId, RunMode::sync), make_result(kId, large))));
  const auto waiter = expect(kId);
  ASSERT_TRUE(world_.run(worker_.publish(job(kId, RunMode::sync), make_result(kId, "small"))));
  EXPECT_EQ(await(*waiter), large);
  EXPECT_EQ(state(kId), large);
}

TEST_F(RedisResultBusTest, AControllerThatListensForTheResultItselfFindsAllOfItInRedis) {
  const std::string large(100'000, 'x');
  Job foreign = job(kForeignId, RunMode::sync);
  foreign.reply_to.clear();
  ASSERT_TRUE(world_.run(worker_.publish(foreign, make_result(kForeignId, large))));
  EXPECT_EQ(parse_job_result(world_.ask({"GET", "job:" + kForeignId}))->out, large);
}

TEST_F(RedisResultBusTest, ALostAnnouncementIsFoundByLookingAgain) {
  const auto waiter = expect(kId);
  Job elsewhere = job(kId, RunMode::sync);
  elsewhere.reply_to = "result-of:nobody";
  ASSERT_TRUE(world_.run(worker_.publish(elsewhere, make_result(kId, "found"))));
  world_.spawn(world_.bus().watch());
  world_.await_sleepers(1);
  world_.clock.advance(std::chrono::seconds{5});
  EXPECT_EQ(await(*waiter), "found");
  RedisWorld::eventually([&] { return world_.controller.heard == 1; });
  RedisWorld::eventually(
      [&] { return world_.controller.foreign == 1; });  // perhaps a reference worker's: to be recorded
}

TEST_F(RedisResultBusTest, WhoeverIsSentAwayFindsItsJobPending) {
  const auto waiter = expect(kId);
  world_.bus().abandon_waiters();
  EXPECT_EQ(await(*waiter), "shutting_down");
  EXPECT_EQ(state(kId), "pending");
}

TEST_F(RedisResultBusTest, WhatWasPublishedDuringALossIsHeardAfterIt) {
  const auto waiter = expect(kId);
  world_.server.freeze();
  RedisWorld::eventually([&] { return !world_.controller.listens(); });
  EXPECT_EQ(world_.run(world_.bus().expect({"r"})).error().kind, ErrorKind::unavailable);
  world_.server.thaw();
  Job elsewhere = job(kId, RunMode::sync);
  elsewhere.reply_to = "result-of:nobody";
  RedisWorld::eventually([&] { return world_.run(worker_.publish(elsewhere, make_result(kId, "found"))).has_value(); });
  RedisWorld::eventually([&] { return world_.controller.listens(); });
  world_.bus().resubscribed();
  EXPECT_EQ(await(*waiter), "found");
}

TEST_F(RedisResultBusTest, AnEmptiedRedisLosesNoAsyncResultAndNoPendingMark) {
  const std::string running = "019a0000-0000-7000-8000-000000000002";
  ASSERT_TRUE(world_.run(world_.bus().mark_pending({kId})));
  ASSERT_TRUE(world_.run(world_.bus().mark_pending({running})));
  ASSERT_TRUE(world_.run(worker_.publish(job(kId, RunMode::async), make_result(kId, "kept"))));
  world_.server.restart();
  RedisWorld::eventually([&] { return world_.controller.listens() && world_.redis.connected(); });
  EXPECT_EQ(state(kId), "kept");
  world_.spawn(world_.bus().watch());  // if the store could not be asked yet when the subscription came back
  RedisWorld::eventually([&] {
    world_.clock.advance(std::chrono::seconds{1});
    return state(running) == "pending";
  });
  ASSERT_TRUE(world_.run(worker_.publish(job(kId, RunMode::async), make_result(kId, "second"))));
  EXPECT_EQ(state(kId), "kept");  // the first result stays, though Redis had forgotten it
}

// A replica that took over without the last writes: it has the mark still, and never had the result.
TEST_F(RedisResultBusTest, AMarkThatAFailoverBroughtBackHidesNoResult) {
  const std::string running = "019a0000-0000-7000-8000-000000000002";
  for (const auto& id : {kId, running}) ASSERT_TRUE(world_.run(world_.bus().mark_pending({id})));
  ASSERT_TRUE(world_.run(worker_.publish(job(kId, RunMode::async), make_result(kId, "kept"))));
  RedisWorld::eventually([&] { return world_.controller.heard == 1; });
  world_.ask({"SET", "job:" + kId, R"({"status":"pending"})", "EX", "3600"});
  world_.bus().resubscribed();  // a failover breaks connections
  EXPECT_EQ(state(kId), "kept");
  EXPECT_EQ(state(running), "pending");
  world_.bucket.fail_with(Error{errors::code_store_unavailable, "Not now."});
  EXPECT_EQ(state(running), "pending");
}

TEST_F(RedisResultBusTest, AJobThatWaitsLongerThanItsMarkStaysPending) {
  ASSERT_TRUE(world_.run(world_.bus().mark_pending({kId})));
  world_.server.advance(limits::kResultTtl + std::chrono::seconds{1});
  EXPECT_EQ(state(kId), "none");
  world_.spawn(world_.bus().watch());
  world_.await_sleepers(1);
  world_.clock.advance(std::chrono::seconds{5});
  RedisWorld::eventually([&] { return state(kId) == "pending"; });
}

TEST_F(RedisResultBusTest, WithRedisGoneStatusAnswersFromTheBucketAndElseDoesNotKnow) {
  ASSERT_TRUE(world_.run(worker_.publish(job(kId, RunMode::async), make_result(kId, "kept"))));
  world_.server.kill();
  EXPECT_EQ(state(kId), "kept");
  EXPECT_EQ(state("019a0000-0000-7000-8000-00000000000f"), "unavailable");
  EXPECT_EQ(world_.run(worker_.publish(job(kId, RunMode::async), make_result(kId, "x"))).error().kind,
            ErrorKind::unavailable);
  EXPECT_EQ(world_.run(world_.bus().mark_pending({"r"})).error().kind, ErrorKind::unavailable);
}

TEST_F(RedisResultBusTest, AnAsyncResultThatTheBucketCannotKeepIsNotAnnounced) {
  ASSERT_TRUE(world_.run(world_.bus().mark_pending({kId})));
  world_.bucket.fail_with(Error{errors::code_store_unavailable, "Not now."});
  EXPECT_FALSE(world_.run(worker_.publish(job(kId, RunMode::async), make_result(kId, "x"))));
  EXPECT_EQ(state(kId), "pending");
}

TEST_F(RedisResultBusTest, AReferenceWorkersResultReachesItsWaiterAndEveryControllerHearsIt) {
  Controller other(world_, "c-2");
  const auto waiter = expect(kId);
  const std::string text = R"({"requestId":")" + kId + R"(","functionId":"f","status":"SUCCESS","stdout":"old"})";
  world_.ask({"PUBLISH", "result:" + kId, text});
  world_.ask({"SET", "job:" + kId, text, "EX", "3600"});
  EXPECT_EQ(await(*waiter), "old");
  RedisWorld::eventually([&] { return world_.controller.foreign == 1; });
  RedisWorld::eventually([&] { return world_.controller.heard == 1; });
  RedisWorld::eventually([&] { return world_.bucket.find("results/" + kId + ".json").has_value(); });
  EXPECT_EQ(world_.controller.noticed, 1);
  world_.await_sleepers(1);
  EXPECT_EQ(other.foreign, 0);  // whoever accepted the run is given the time to record it
  world_.clock.advance(std::chrono::seconds{5});
  RedisWorld::eventually([&] { return other.foreign == 1; });
  EXPECT_EQ(other.heard, 0);
  EXPECT_EQ(other.noticed, 1);
}

TEST_F(RedisResultBusTest, WhatAReferenceWorkerLeavesOutComesFromTheRunThatWasAccepted) {
  Controller other(world_, "c-2");
  ASSERT_TRUE(world_.run(world_.bus().mark_pending({kId})));
  world_.bus().note_sent({kId}, {.function = {"f-1"}});
  const std::string text = R"({"status":"SUCCESS","exitCode":0,"stdout":"old","durationMs":3})";
  world_.ask({"PUBLISH", "result:" + kId, text});
  world_.ask({"SETEX", "job:" + kId, "3600", text});
  RedisWorld::eventually([&] { return world_.controller.foreign == 1; });
  EXPECT_EQ(world_.controller.recorded().function_id.value, "f-1");
  EXPECT_EQ(world_.controller.recorded().request_id.value, kId);
  world_.await_sleepers(1);
  world_.clock.advance(std::chrono::seconds{5});
  RedisWorld::eventually([&] { return other.foreign == 1; });
  EXPECT_EQ(other.recorded().function_id.value, "f-1");  // the one that was kept, not the worker's
  const auto found = world_.run(other.bus().find({kId}));
  ASSERT_TRUE(found && found->finished());
  EXPECT_EQ(parse_job_result(found->json)->function_id.value, "f-1");
}

TEST_F(RedisResultBusTest, AnInputThatAReferenceWorkerCannotSeeMakesAnError) {
  const auto waiter = expect(kId);
  world_.bus().note_sent({kId}, {.function = {"f-1"}, .input_apart = true});
  const std::string text =
      R"({"requestId":")" + kId + R"(","functionId":"f-1","status":"SUCCESS","exitCode":0,"stdout":"{}"})";
  world_.ask({"PUBLISH", "result:" + kId, text});
  world_.ask({"SETEX", "job:" + kId, "3600", text});
  const auto got = world_.run(waiter->wait_until(world_.deadline_in(limits::kSyncWait)));
  ASSERT_TRUE(got);
  EXPECT_EQ((*got)->status, RunStatus::error);
  EXPECT_EQ((*got)->error_code, "input_not_seen");
  RedisWorld::eventually([&] { return world_.controller.foreign == 1; });
  EXPECT_EQ(world_.controller.recorded().status, RunStatus::error);
  RedisWorld::eventually([&] {  // until it is kept it is not told at all, and never as what the worker wrote
    const auto stored = world_.run(world_.bus().find({kId}));
    EXPECT_TRUE(stored && (!stored->finished() || parse_job_result(stored->json)->error_code == "input_not_seen"));
    return stored && stored->finished();
  });
}

TEST_F(RedisResultBusTest, AReferenceWorkerIsNoticedByWhatItTellsOthersToo) {
  const auto publish = [&](const std::string& id, const std::string& text) {
    world_.ask({"PUBLISH", "result:" + id, text});
  };
  publish(kForeignId,
          R"({"requestId":"x","status":"SUCCESS","durationMs":12,"durationUs":11800})");  // a worker of ours
  publish(kForeignId, R"({"requestId":"x","status":"SUCCESS","durationMs":12})");
  RedisWorld::eventually([&] { return world_.controller.noticed == 1; });
  publish("019a0000-0000-7000-8000-00000000000f", R"({"status":"SUCCESS","functionId":"f","durationUs":1})");
  publish("019a0000-0000-7000-8000-00000000000f", R"({"status":"SUCCESS","functionId":"f"})");
  RedisWorld::eventually([&] { return world_.controller.noticed == 2; });
}

TEST_F(RedisResultBusTest, AReferenceControllerGetsItsAnswerWhereItListens) {
  std::atomic<int> answers = 0;
  const auto reference = world_.server.make_subscriber(
      {.channels = {"result:" + kForeignId}, .on_message = [&](std::string_view, std::string text) {
         answers += parse_job_result(text).has_value() ? 1 : 0;
       }});
  reference->start();
  RedisWorld::eventually([&] { return reference->subscribed(); });
  world_.ask({"SET", "job:" + kForeignId, R"({"status": "pending"})"});  // in its own way of writing
  Job foreign = job(kForeignId, RunMode::sync);
  foreign.reply_to.clear();
  ASSERT_TRUE(world_.run(worker_.publish(foreign, make_result(kForeignId, "ours"))));
  RedisWorld::eventually([&] { return answers == 1; });
  EXPECT_EQ(state(kForeignId), "ours");
  EXPECT_EQ(world_.controller.foreign, 0);  // our own controllers leave it alone
}

TEST_F(RedisResultBusTest, NonsenseIsIgnored) {
  const auto waiter = expect(kId);
  for (const char* text : {"{", "{}", "", "[1]", R"({"status":"SUCCESS"})", "no-such-id"}) {
    world_.ask({"PUBLISH", world_.bus().reply_channel(), text});
    world_.ask({"PUBLISH", "result:" + kForeignId, text});
  }
  ASSERT_TRUE(world_.run(worker_.publish(job(kId, RunMode::sync), make_result(kId, "hello"))));
  EXPECT_EQ(await(*waiter), "hello");
}

}  // namespace
}  // namespace infra::testing
