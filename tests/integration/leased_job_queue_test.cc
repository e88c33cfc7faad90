// Leases on a Redis over a queue that hands out duplicates: never two runs of a request id at a time, and starts
// are counted rather than receives. The queue's contract holds with leases as without.
#include "adapters/redis/leased_job_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "adapters/sqlite/sqlite_job_queue.h"
#include "adapters/system/system_random.h"
#include "contract/embedded_world.h"
#include "contract/job_queue_contract.h"
#include "integration/leased_queue_world.h"

namespace infra::testing {
namespace {

// Suspects among the others: the contract asks for what is received again, not for the slot that it is for.
class BothSlots final : public JobQueue {
 public:
  explicit BothSlots(LeasedJobQueue& leased) : leased_(leased) {}
  Task<Result<void>> enqueue(const Job& job) override { return leased_.enqueue(job); }
  Task<Result<std::vector<Delivery>>> receive(int max, milliseconds wait) override {
    auto got = co_await leased_.receive(max, wait);
    while (got && std::cmp_less(got->size(), max) && leased_.suspects_waiting() > 0) {
      auto suspect = co_await leased_.receive_suspect();
      if (suspect && *suspect) got->push_back(std::move(**suspect));
    }
    co_return got;
  }
  Task<Result<void>> extend(const std::string& receipt) override { return leased_.extend(receipt); }
  Task<Result<void>> acknowledge(const std::string& receipt) override { return leased_.acknowledge(receipt); }
  Task<Result<void>> give_back(const std::string& receipt) override { return leased_.give_back(receipt); }
  Task<Result<void>> bury(const std::string& receipt, const std::string& reason) override {
    return leased_.bury(receipt, reason);
  }
  void wake_receivers() override { leased_.wake_receivers(); }
  Task<Result<QueueDepth>> depth() override { return leased_.depth(); }

 private:
  LeasedJobQueue& leased_;
};

class LeasedSqlite : public EmbeddedWorld {
 public:
  LeasedSqlite() : EmbeddedWorld(redis_event_threads()), queue_(std::move(*SqliteJobQueue::open(*database))) {
    redis_->start();
    RedisWorld::eventually([&] { return redis_->connected(); });
    leased_.begin_suspects();
  }
  ~LeasedSqlite() override { loops.stop(); }
  void advance(milliseconds step) override {
    server_->advance(step);
    clock.advance(step);
  }
  JobQueue& queue() { return both_; }

 private:
  static Task<void> ignore() { co_return; }

  const std::unique_ptr<RedisEngine> server_ = make_redis_engine(loops);
  const std::unique_ptr<net::RedisClient> redis_ = server_->make_client();
  SystemRandom random_;
  std::unique_ptr<SqliteJobQueue> queue_;
  LeasedJobQueue leased_{*queue_, *redis_, {"w-1"}, clock, random_, [](std::string, milliseconds) { return ignore(); }};
  BothSlots both_{leased_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Leased, JobQueueContract, LeasedSqlite);

using LeasedJobQueueTest = LeasedQueueTest;

TEST_F(LeasedJobQueueTest, ACopyOfAJobThatRunsIsPutOffUntilTheLeaseMayEnd) {
  copies_.add("job", "first");
  ASSERT_EQ(receive(one_).size(), 1U);
  copies_.add("job", "second");
  copies_.add("other", "third");
  const auto got = receive(two_);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].receipt, "third");
  EXPECT_GT(put_off_.at("second"), milliseconds{25'000});
  EXPECT_LE(put_off_.at("second"), limits::kVisibility);
  copies_.add("job", "fourth");
  EXPECT_TRUE(receive(one_).empty());  // nor twice on one worker
}

// A worker's choice among what it receives: what it has no slot for gets no lease, counts as no start, and is put off
// for longer each time, so that others see it first and what is behind it comes into sight.
TEST_F(LeasedJobQueueTest, WhatIsReceivedOutOfTurnIsPutOff) {
  Turnstile turns;
  turns.slots = {{"f", 1}, {"flood", 0}};
  one_.attach(&turns);
  const auto add = [&](const std::string& function, const std::string& id, int receives) {
    Delivery delivery{.job = make_job(id), .receipt = id, .receives = receives, .fresh = receives == 1};
    delivery.job.function_id = {function};
    copies_.waiting.push_back(std::move(delivery));
  };
  const std::vector<std::pair<int, int>> pauses = {{1, 0},  {2, 1},    {3, 2},     {4, 4},
                                                   {6, 16}, {100, 16}, {101, 300}, {900, 3600}};
  for (const auto& [receives, pause] : pauses) add("flood", fmt::format("flood-{}", receives), receives);
  add("f", "mine", 1);
  const auto got = receive(one_);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].receipt, "mine");
  for (const auto& [receives, pause] : pauses) {
    EXPECT_EQ(put_off_.at(fmt::format("flood-{}", receives)), std::chrono::seconds{pause}) << receives;
  }
  std::chrono::seconds all{};
  for (int receives = 1; receives <= 1000; ++receives) {
    add("flood", "patient", receives);
    EXPECT_TRUE(receive(one_).empty());
    all += std::chrono::duration_cast<std::chrono::seconds>(put_off_.at("patient"));
  }
  EXPECT_GT(all, std::chrono::days{14}) << "the queue's retention ends before its redrive";
  turns.slots["flood"] = 1;
  add("flood", "flood-900", 901);
  const auto later = receive(one_);
  ASSERT_EQ(later.size(), 1U);
  EXPECT_EQ(later[0].receives, 1) << "it has not been started before";
}

TEST_F(LeasedJobQueueTest, ASlotThatWasTakenForWhatRunsElsewhereIsFreeAgain) {
  Turnstile turns;
  turns.slots = {{"fn-1", 1}};
  copies_.add("job", "first");
  ASSERT_EQ(receive(two_).size(), 1U);
  one_.attach(&turns);
  copies_.add("job", "second");
  EXPECT_TRUE(receive(one_).empty());
  EXPECT_EQ(turns.taken.at("fn-1"), 0);
}

TEST_F(LeasedJobQueueTest, ARenewedLeaseLivesAndADeadWorkersEnds) {
  copies_.add("job", "first");
  ASSERT_EQ(receive(one_).size(), 1U);
  for (int i = 0; i < 5; ++i) {
    world_.advance(limits::kVisibilityRenewal);
    ASSERT_TRUE(world_.run(one_.extend("first")));
    copies_.add("job", "again");
    EXPECT_TRUE(receive(two_).empty());
  }
  world_.advance(limits::kVisibility + milliseconds{1});
  copies_.add("job", "again", false);
  EXPECT_TRUE(receive(two_).empty());
  const auto got = receive_suspect(two_);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->receives, 2);
  EXPECT_FALSE(got->fresh);
}

TEST_F(LeasedJobQueueTest, StartsAreCountedAndPuttingOffOrGivingBackIsNone) {
  for (int i = 0; i < 3; ++i) {
    copies_.add("job", "r", i == 0);
    const auto got = receive(one_);
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(got[0].receives, 1);
    copies_.add("job", "copy");
    EXPECT_TRUE(receive(two_).empty());
    ASSERT_TRUE(world_.run(one_.give_back("r")));
    EXPECT_TRUE(copies_.given_back.contains("r"));
  }
  lose(one_, {"job"});
  for (int start = 2; start <= limits::kMaxReceives; ++start) {
    LeasedJobQueue worker(copies_, world_.redis, {fmt::format("w-{}", start)}, world_.clock, random_, postpone());
    worker.begin_suspects();
    for (int i = 0; i < 2; ++i) {
      copies_.add("job", "r", false);
      EXPECT_TRUE(receive(worker).empty());
      const auto got = receive_suspect(worker);
      ASSERT_TRUE(got);
      EXPECT_EQ(got->receives, start);
      if (i == 0) ASSERT_TRUE(world_.run(worker.give_back("r")));
    }
    world_.advance(limits::kVisibility + milliseconds{1});
  }
  copies_.add("job", "r", false);
  const auto got = receive(two_);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].receives, limits::kMaxReceives + 1);
}

TEST_F(LeasedJobQueueTest, ALateCopyOfAFinishedJobIsNotFresh) {
  copies_.add("job", "first");
  EXPECT_TRUE(receive(one_).at(0).fresh);
  ASSERT_TRUE(world_.run(one_.acknowledge("first")));
  EXPECT_TRUE(copies_.acknowledged.contains("first"));
  copies_.add("job", "copy");  // another message, received for the first time
  EXPECT_TRUE(receive(two_).empty());
  const auto got = receive_suspect(two_);
  ASSERT_TRUE(got);
  EXPECT_FALSE(got->fresh);
}

// A renewal of the one that lost it says so; a dead receipt alone does not.
TEST_F(LeasedJobQueueTest, OnlyTheLeaseSaysThatAJobIsLost) {
  copies_.add("job", "first");
  ASSERT_EQ(receive(one_).size(), 1U);
  copies_.dead = {"first"};
  EXPECT_TRUE(world_.run(one_.extend("first"))) << "the message was visible for a while, and nobody has the job";
  world_.advance(limits::kVisibility + milliseconds{1});
  copies_.add("job", "second", false);
  EXPECT_TRUE(receive(two_).empty());
  ASSERT_TRUE(receive_suspect(two_));
  copies_.dead.clear();
  const auto lost = world_.run(one_.extend("first"));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, ErrorKind::not_found);
  EXPECT_TRUE(world_.run(two_.extend("second"))) << "the loser's renewal has changed nothing";
}

TEST_F(LeasedJobQueueTest, WithoutRedisNothingIsTaken) {
  world_.server.kill();
  RedisWorld::eventually([&] { return !world_.redis.connected(); });
  copies_.add("job", "first");
  const auto got = world_.run(one_.receive(10, milliseconds{0}));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(copies_.receives, 0);
}

TEST_F(LeasedJobQueueTest, WhatRunsGoesOnWithoutRedis) {
  copies_.add("running", "r");
  ASSERT_EQ(receive(one_).size(), 1U);
  world_.server.freeze();
  EXPECT_TRUE(world_.run(one_.extend("r")));
  EXPECT_TRUE(world_.run(one_.acknowledge("r")));
  world_.server.thaw();
}

// Another worker that got the message now would find the lease taken.
TEST_F(LeasedJobQueueTest, WhatRedisMayHaveLeasedIsHeldUntilItHasLetGo) {
  copies_.add("other", "o");
  ASSERT_EQ(receive(one_).size(), 1U);  // the server knows the script
  world_.server.freeze();
  copies_.add("job", "first");
  EXPECT_TRUE(receive(one_).empty());
  EXPECT_FALSE(world_.run(one_.receive(10, milliseconds{0})));
  EXPECT_TRUE(copies_.extended.contains("first"));
  EXPECT_FALSE(copies_.given_back.contains("first"));
  world_.server.thaw();  // and takes the lease that nobody waits for any more
  RedisWorld::eventually([&] { return world_.ask({"EXISTS", "infra:lease:job"}) == "1"; });
  RedisWorld::eventually([&] { return world_.run(one_.receive(10, milliseconds{0})).has_value(); });
  ASSERT_TRUE(copies_.given_back.contains("first"));
  copies_.add("job", "first again", false);
  const auto got = receive(two_);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].receives, 1);
  EXPECT_TRUE(put_off_.empty());
}

TEST_F(LeasedJobQueueTest, WhatIsGivenBackWithoutRedisIsHeldUntilItHasLetGo) {
  copies_.add("job", "first");
  ASSERT_EQ(receive(one_).size(), 1U);
  world_.server.freeze();
  EXPECT_TRUE(world_.run(one_.give_back("first")));
  EXPECT_FALSE(copies_.given_back.contains("first"));
  world_.server.thaw();
  RedisWorld::eventually([&] { return world_.run(one_.receive(10, milliseconds{0})).has_value(); });
  EXPECT_TRUE(copies_.given_back.contains("first"));
  copies_.add("job", "first again", false);
  EXPECT_EQ(receive(two_).size(), 1U);
}

TEST_F(LeasedJobQueueTest, AnEmptiedRedisLearnsOfWhatRunsAtTheNextExtension) {
  copies_.add("job", "first");
  ASSERT_EQ(receive(one_).size(), 1U);
  world_.server.restart();
  RedisWorld::eventually([&] { return world_.redis.connected(); });
  ASSERT_TRUE(world_.run(one_.extend("first")));
  copies_.add("job", "second");
  EXPECT_TRUE(receive(two_).empty());
  EXPECT_TRUE(put_off_.contains("second"));
  world_.advance(limits::kVisibility + milliseconds{1});
  copies_.add("job", "third", false);
  EXPECT_TRUE(receive(two_).empty());
  EXPECT_EQ(receive_suspect(two_).value().receives, 2);  // the first start is remembered anew
}

}  // namespace
}  // namespace infra::testing
