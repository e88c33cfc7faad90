// What every JobQueue promises, in whatever order and however exactly it counts (local_job_queue_contract.h has what a
// queue of one machine adds). `Engine` is an EngineWorld with a `queue()`.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "contract/engine_world.h"
#include "core/limits.h"
#include "core/mutex.h"
#include "ports/job_queue.h"

namespace infra {

inline Job make_job(const std::string& id, RunMode mode = RunMode::async) {
  Job job;
  job.request_id = {id};
  job.function_id = {"fn-1"};
  job.runtime = Runtime::nodejs;
  job.memory_mb = 512;
  job.timeout = milliseconds{1500};
  job.network = Network::egress;
  job.keep_warm = 2;
  job.max_concurrency = 30;
  job.code = {"functions/fn-1/1.zip", std::string(64, 'a')};
  job.input = R"({"text":"Grüße","n":[1,2]})";
  job.model_id = "llama3:8b";
  job.env = {{"TOKEN", "a=b\n\"c\""}};
  job.mode = mode;
  job.reply_to = "result-of:controller-1";
  job.accepted_at = WallTime{milliseconds{1'700'000'000'123}};
  job.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  return job;
}

// The ids that receivers were handed, from any thread.
class Seen {
 public:
  void add(const std::string& id) {
    const MutexLock lock(mutex_);
    ids_.insert(id);
    changed_.notify_all();
  }
  void await(const std::string& id) {
    const MutexLock lock(mutex_);
    while (!ids_.contains(id)) changed_.wait(mutex_);
  }
  [[nodiscard]] std::multiset<std::string> ids() const {
    const MutexLock lock(mutex_);
    return ids_;
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  std::multiset<std::string> ids_ INFRA_GUARDED_BY(mutex_);
};

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

  // Receives until the queue is closed, noting each hand-over once it is acknowledged.
  static Task<void> work(JobQueue& queue, Seen& seen) {
    while (true) {
      auto got = co_await queue.receive(3, std::chrono::hours{1});
      if (!got || got->empty()) co_return;
      for (const auto& delivery : *got) {
        (void)co_await queue.acknowledge(delivery.receipt);
        seen.add(delivery.job.request_id.value);
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
    EXPECT_EQ(got[0].job, sent);
    EXPECT_EQ(got[0].receives, 1);
    EXPECT_TRUE(got[0].fresh);
    EXPECT_TRUE(this->receive().empty());
    ASSERT_TRUE(this->engine_.run(this->queue().acknowledge(got[0].receipt)));
    this->expire_leases();
    EXPECT_TRUE(this->receive().empty());
  }
}

TYPED_TEST_P(JobQueueContract, ExpiredLeaseComesBackAndCounts) {
  for (const RunMode mode : {RunMode::async, RunMode::sync}) {
    this->enqueue(mode == RunMode::async ? "a" : "s", mode);
    const auto first = this->receive();
    ASSERT_EQ(first.size(), 1U);
    this->expire_leases();
    const auto again = this->receive();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].job.request_id, first[0].job.request_id);
    EXPECT_EQ(again[0].receives, 2);
    EXPECT_FALSE(again[0].fresh);
    const auto extended = this->engine_.run(this->queue().extend(first[0].receipt));
    ASSERT_FALSE(extended);
    EXPECT_EQ(extended.error().kind, ErrorKind::not_found);
    EXPECT_TRUE(this->engine_.run(this->queue().give_back(first[0].receipt)));
    EXPECT_TRUE(this->engine_.run(this->queue().acknowledge(first[0].receipt)));
    EXPECT_TRUE(this->engine_.run(this->queue().extend(again[0].receipt)));
    EXPECT_TRUE(this->engine_.run(this->queue().acknowledge(again[0].receipt)));
    this->expire_leases();
    EXPECT_TRUE(this->receive().empty());
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

TYPED_TEST_P(JobQueueContract, GivenBackIsHandedOutAgainAtOnce) {
  this->enqueue("a");
  this->enqueue("s", RunMode::sync);
  for (int round = 0; round < 3; ++round) {
    const auto got = this->receive();
    ASSERT_EQ(got.size(), 2U);
    for (const auto& delivery : got) ASSERT_TRUE(this->engine_.run(this->queue().give_back(delivery.receipt)));
  }
}

TYPED_TEST_P(JobQueueContract, BuriedIsNeverHandedOut) {
  this->enqueue("a");
  this->enqueue("s", RunMode::sync);
  const auto got = this->receive();
  ASSERT_EQ(got.size(), 2U);
  for (const auto& delivery : got)
    ASSERT_TRUE(this->engine_.run(this->queue().bury(delivery.receipt, "crashed the worker three times")));
  this->expire_leases();
  EXPECT_TRUE(this->receive().empty());
  const auto depth = this->engine_.run(this->queue().depth());
  ASSERT_TRUE(depth);
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
  Seen seen;
  this->enqueue("leased");
  ASSERT_EQ(this->receive().size(), 1U);
  std::atomic<int> running = 1;
  this->engine_.spawn(this->counted(this->work(this->queue(), seen), running));
  this->enqueue("new");
  seen.await("new");
  this->expire_leases();
  seen.await("leased");
  this->queue().wake_receivers();
  running.wait(1);
  EXPECT_EQ(seen.ids(), (std::multiset<std::string>{"leased", "new"}));
}

TYPED_TEST_P(JobQueueContract, EveryJobIsHandedOutOnceAmongManyReceivers) {
  constexpr int kProducers = 8;
  constexpr int kEach = 100;
  Seen seen;
  std::atomic<int> receivers = 6;
  std::atomic<int> producers = kProducers;
  const int started = receivers;
  for (int i = 0; i < started; ++i) this->engine_.spawn(this->counted(this->work(this->queue(), seen), receivers));
  for (int i = 0; i < kProducers; ++i) {
    this->engine_.spawn(this->counted(this->produce(this->queue(), i * kEach, kEach), producers));
  }
  while (producers > 0) producers.wait(producers);
  for (auto depth = this->engine_.run(this->queue().depth()); depth && depth->ready + depth->in_flight > 0;) {
    depth = this->engine_.run(this->queue().depth());
  }
  this->queue().wake_receivers();
  while (receivers > 0) receivers.wait(receivers);
  const auto ids = seen.ids();
  EXPECT_EQ(ids.size(), kProducers * kEach);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
}

TYPED_TEST_P(JobQueueContract, AfterTheEndNobodyWaitsAndAsyncJobsStay) {
  this->enqueue("a");
  this->queue().wake_receivers();
  EXPECT_TRUE(this->receive(10, std::chrono::hours{1}).empty());  // without waiting
  const auto depth = this->engine_.run(this->queue().depth());
  ASSERT_TRUE(depth);
  EXPECT_EQ(depth->ready, 1);
}

REGISTER_TYPED_TEST_SUITE_P(JobQueueContract, HandsOutTheWholeJobOnce, ExpiredLeaseComesBackAndCounts,
                            ExtendedLeaseLives, GivenBackIsHandedOutAgainAtOnce, BuriedIsNeverHandedOut,
                            DepthTellsWaitingFromHandedOut, WaitingReceiversWakeForJobsLeasesAndTheEnd,
                            EveryJobIsHandedOutOnceAmongManyReceivers, AfterTheEndNobodyWaitsAndAsyncJobsStay);

}  // namespace infra
