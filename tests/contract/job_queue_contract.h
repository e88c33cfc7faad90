// What every JobQueue promises. `Engine` is an EngineWorld with a `queue()`.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "contract/engine_world.h"
#include "core/limits.h"
#include "ports/job_queue.h"

namespace infra {

inline Job make_job(const std::string& id, RunMode mode = RunMode::async) {
  Job job;
  job.request_id = {id};
  job.function_id = {"fn-1"};
  job.runtime = Runtime::nodejs;
  job.memory_mb = 512;
  job.timeout = milliseconds{1500};
  job.code = {"functions/fn-1/1.zip", std::string(64, 'a')};
  job.input = R"({"text":"Grüße","n":[1,2]})";
  job.model_id = "llama3:8b";
  job.env = {{"TOKEN", "a=b\n\"c\""}};
  job.mode = mode;
  job.accepted_at = WallTime{milliseconds{1'700'000'000'123}};
  job.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  return job;
}

template <typename Engine>
class JobQueueContract : public ::testing::Test {
 protected:
  JobQueue& queue() { return engine_.queue(); }
  void enqueue(const std::string& id, RunMode mode = RunMode::async) {
    const auto done = engine_.run(queue().enqueue(make_job(id, mode)));
    ASSERT_TRUE(done) << done.error().message;
  }
  std::vector<Delivery> receive(int max = 10, milliseconds wait = milliseconds{0}) {
    auto got = engine_.run(queue().receive(max, wait));
    EXPECT_TRUE(got) << got.error().message;
    return got ? std::move(*got) : std::vector<Delivery>{};
  }
  std::vector<std::string> received_ids(int max = 10) {
    std::vector<std::string> ids;
    for (const auto& delivery : receive(max)) ids.push_back(delivery.job.request_id.value);
    return ids;
  }
  void expire_leases() { engine_.advance(limits::kVisibility + milliseconds{1}); }

  // Receives until the queue is closed, noting each hand-over.
  static Task<void> work(JobQueue& queue, std::mutex& mutex, std::multiset<std::string>& seen) {
    while (true) {
      auto got = co_await queue.receive(3, std::chrono::hours{1});
      if (!got || got->empty()) co_return;
      for (const auto& delivery : *got) {
        {
          const std::lock_guard lock(mutex);
          seen.insert(delivery.job.request_id.value);
        }
        (void)co_await queue.acknowledge(delivery.receipt);
      }
    }
  }
  static Task<void> counted(Task<void> task, std::atomic<int>& running) {
    co_await std::move(task);
    if (--running == 0) running.notify_all();
  }
  static Task<void> produce(JobQueue& queue, int from, int count) {
    for (int i = from; i < from + count; ++i) {
      const Job job = make_job(fmt::format("job-{}", i), i % 2 == 0 ? RunMode::async : RunMode::sync);
      EXPECT_TRUE(co_await queue.enqueue(job));
    }
  }

  Engine engine_;
};

TYPED_TEST_SUITE_P(JobQueueContract);

TYPED_TEST_P(JobQueueContract, HandsOutTheWholeJobOnce) {
  for (const RunMode mode : {RunMode::async, RunMode::sync}) {
    const Job sent = make_job(mode == RunMode::async ? "a" : "s", mode);
    ASSERT_TRUE(this->engine_.run(this->queue().enqueue(sent)));
    const auto got = this->receive();
    ASSERT_EQ(got.size(), 1U);
    const Job& job = got[0].job;
    EXPECT_EQ(job.request_id, sent.request_id);
    EXPECT_EQ(job.function_id, sent.function_id);
    EXPECT_EQ(job.runtime, sent.runtime);
    EXPECT_EQ(job.memory_mb, sent.memory_mb);
    EXPECT_EQ(job.timeout, sent.timeout);
    EXPECT_EQ(job.code, sent.code);
    EXPECT_EQ(job.input, sent.input);
    EXPECT_EQ(job.model_id, sent.model_id);
    EXPECT_EQ(job.env, sent.env);
    EXPECT_EQ(job.mode, sent.mode);
    EXPECT_EQ(job.accepted_at, sent.accepted_at);
    EXPECT_EQ(job.traceparent, sent.traceparent);
    EXPECT_EQ(got[0].receives, 1);
    EXPECT_TRUE(this->receive().empty());
    ASSERT_TRUE(this->engine_.run(this->queue().acknowledge(got[0].receipt)));
    this->expire_leases();
    EXPECT_TRUE(this->receive().empty());
  }
}

TYPED_TEST_P(JobQueueContract, OldestFirstOverBothKinds) {
  std::vector<std::string> sent;
  for (int i = 0; i < 8; ++i) {
    sent.push_back(fmt::format("job-{}", i));
    this->enqueue(sent.back(), i % 3 == 0 ? RunMode::sync : RunMode::async);
  }
  EXPECT_EQ(this->received_ids(3), (std::vector<std::string>{sent.begin(), sent.begin() + 3}));
  EXPECT_EQ(this->received_ids(10), (std::vector<std::string>{sent.begin() + 3, sent.end()}));
}

TYPED_TEST_P(JobQueueContract, RefusesAnIdThatIsQueued) {
  for (const RunMode mode : {RunMode::async, RunMode::sync}) {
    const std::string id = mode == RunMode::async ? "a" : "s";
    this->enqueue(id, mode);
    const auto again = this->engine_.run(this->queue().enqueue(make_job(id, mode)));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().kind, ErrorKind::conflict);
  }
  EXPECT_EQ(this->receive().size(), 2U);
}

TYPED_TEST_P(JobQueueContract, ExpiredLeaseComesBackAtItsOldPlaceAndCounts) {
  for (const RunMode mode : {RunMode::async, RunMode::sync}) {
    const std::string kind = mode == RunMode::async ? "a" : "s";
    this->enqueue(kind + "1", mode);
    const auto first = this->receive(1);
    ASSERT_EQ(first.size(), 1U);
    this->enqueue(kind + "2", mode);
    this->expire_leases();
    const auto again = this->receive();
    ASSERT_EQ(again.size(), 2U);
    EXPECT_EQ(again[0].job.request_id.value, kind + "1");
    EXPECT_EQ(again[0].receives, 2);
    EXPECT_EQ(again[1].receives, 1);
    // The first hand-over is dead: it can neither extend nor end the second one.
    const auto extended = this->engine_.run(this->queue().extend(first[0].receipt));
    ASSERT_FALSE(extended);
    EXPECT_EQ(extended.error().kind, ErrorKind::not_found);
    EXPECT_TRUE(this->engine_.run(this->queue().acknowledge(first[0].receipt)));
    EXPECT_TRUE(this->engine_.run(this->queue().extend(again[0].receipt)));
    for (const auto& delivery : again) EXPECT_TRUE(this->engine_.run(this->queue().acknowledge(delivery.receipt)));
  }
}

TYPED_TEST_P(JobQueueContract, ExtendedLeaseLives) {
  this->enqueue("a");
  const auto got = this->receive();
  ASSERT_EQ(got.size(), 1U);
  for (int i = 0; i < 5; ++i) {
    this->engine_.advance(limits::kVisibilityRenewal);
    ASSERT_TRUE(this->engine_.run(this->queue().extend(got[0].receipt)));
    EXPECT_TRUE(this->receive().empty());
  }
}

TYPED_TEST_P(JobQueueContract, GivenBackIsFirstAgainAndCountsNothing) {
  this->enqueue("a");
  this->enqueue("s", RunMode::sync);
  this->enqueue("b");
  for (int round = 0; round < 3; ++round) {
    const auto got = this->receive(2);
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[0].job.request_id.value, "a");
    EXPECT_EQ(got[1].job.request_id.value, "s");
    EXPECT_EQ(got[0].receives + got[1].receives, 2);
    for (const auto& delivery : got) ASSERT_TRUE(this->engine_.run(this->queue().give_back(delivery.receipt)));
  }
}

TYPED_TEST_P(JobQueueContract, BuriedIsCountedAndNeverHandedOut) {
  this->enqueue("a");
  this->enqueue("s", RunMode::sync);
  for (const auto& delivery : this->receive()) {
    ASSERT_TRUE(this->engine_.run(this->queue().bury(delivery.receipt, "crashed the worker three times")));
  }
  this->expire_leases();
  EXPECT_TRUE(this->receive().empty());
  const auto depth = this->engine_.run(this->queue().depth());
  ASSERT_TRUE(depth);
  EXPECT_EQ(depth->dead, 2);
  EXPECT_EQ(depth->ready + depth->in_flight, 0);
}

TYPED_TEST_P(JobQueueContract, DepthTellsWaitingFromHandedOut) {
  for (const char* id : {"a", "b", "c"}) this->enqueue(id);
  ASSERT_EQ(this->receive(1).size(), 1U);
  auto depth = this->engine_.run(this->queue().depth());
  ASSERT_TRUE(depth);
  EXPECT_EQ(depth->ready, 2);
  EXPECT_EQ(depth->in_flight, 1);
  this->expire_leases();
  depth = this->engine_.run(this->queue().depth());
  EXPECT_EQ(depth->ready, 3);
  EXPECT_EQ(depth->in_flight, 0);
}

TYPED_TEST_P(JobQueueContract, WaitingReceiversWakeForJobsLeasesAndTheEnd) {
  std::mutex mutex;
  std::multiset<std::string> seen;
  this->enqueue("leased");
  ASSERT_EQ(this->receive().size(), 1U);

  std::atomic<int> running = 1;
  this->engine_.spawn(this->counted(this->work(this->queue(), mutex, seen), running));
  this->engine_.await_sleepers(1);
  this->enqueue("new");  // wakes it, on a clock that stands still
  this->engine_.await_sleepers(1);
  this->expire_leases();  // the dead lease wakes it
  while (true) {
    const std::lock_guard lock(mutex);
    if (seen.contains("leased")) break;
  }
  this->queue().wake_receivers();  // and so does the end
  running.wait(1);
  EXPECT_EQ(seen, (std::multiset<std::string>{"leased", "new"}));
}

TYPED_TEST_P(JobQueueContract, EveryJobIsHandedOutOnceAmongManyReceivers) {
  constexpr int kProducers = 8;
  constexpr int kEach = 100;
  std::mutex mutex;
  std::multiset<std::string> seen;
  std::atomic<int> receivers = 6;
  std::atomic<int> producers = kProducers;
  const int started = receivers;
  for (int i = 0; i < started; ++i)
    this->engine_.spawn(this->counted(this->work(this->queue(), mutex, seen), receivers));
  for (int i = 0; i < kProducers; ++i) {
    this->engine_.spawn(this->counted(this->produce(this->queue(), i * kEach, kEach), producers));
  }
  while (producers > 0) producers.wait(producers);
  for (auto depth = this->engine_.run(this->queue().depth()); depth && depth->ready + depth->in_flight > 0;) {
    depth = this->engine_.run(this->queue().depth());
  }
  this->queue().wake_receivers();
  while (receivers > 0) receivers.wait(receivers);
  EXPECT_EQ(seen.size(), kProducers * kEach);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), seen.size());
}

TYPED_TEST_P(JobQueueContract, AfterTheEndOnlySyncJobsAreHandedOut) {
  this->enqueue("async");
  this->enqueue("sync", RunMode::sync);
  this->queue().wake_receivers();
  EXPECT_EQ(this->received_ids(), std::vector<std::string>{"sync"});
  EXPECT_TRUE(this->receive(10, std::chrono::hours{1}).empty());  // without waiting
  EXPECT_EQ(this->engine_.run(this->queue().depth())->ready, 1);
}

REGISTER_TYPED_TEST_SUITE_P(JobQueueContract, HandsOutTheWholeJobOnce, OldestFirstOverBothKinds,
                            RefusesAnIdThatIsQueued, ExpiredLeaseComesBackAtItsOldPlaceAndCounts, ExtendedLeaseLives,
                            GivenBackIsFirstAgainAndCountsNothing, BuriedIsCountedAndNeverHandedOut,
                            DepthTellsWaitingFromHandedOut, WaitingReceiversWakeForJobsLeasesAndTheEnd,
                            EveryJobIsHandedOutOnceAmongManyReceivers, AfterTheEndOnlySyncJobsAreHandedOut);

}  // namespace infra
