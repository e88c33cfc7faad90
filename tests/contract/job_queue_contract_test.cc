// The job queue's contracts on SQLite, and what only the embedded engine promises: durability, bounds, restarts.
#include <future>
#include <latch>
#include <set>
#include <thread>

#include "adapters/sqlite/sqlite_code_use.h"
#include "adapters/sqlite/sqlite_job_queue.h"
#include "contract/embedded_world.h"
#include "contract/local_job_queue_contract.h"

namespace infra {
namespace {

std::unique_ptr<SqliteJobQueue> open_queue(Database& database, QueueBounds bounds = {}) {
  auto opened = SqliteJobQueue::open(database, bounds);
  if (!opened) throw std::runtime_error(opened.error().message);
  return std::move(*opened);
}

class EmbeddedQueue : public EmbeddedWorld {
 public:
  explicit EmbeddedQueue(QueueBounds bounds = {}) : queue_(open_queue(*database, bounds)) {}
  SqliteJobQueue& queue() { return *queue_; }

 private:
  std::unique_ptr<SqliteJobQueue> queue_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, JobQueueContract, EmbeddedQueue);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, LocalJobQueueContract, EmbeddedQueue);

TEST(SqliteJobQueue, AcceptedAsyncJobsSurviveAKillAndLeasesDoNot) {
  EmbeddedQueue world;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(world.run(world.queue().enqueue(make_job(fmt::format("a{}", i)))));
  ASSERT_TRUE(world.run(world.queue().enqueue(make_job("s", RunMode::sync))));
  ASSERT_EQ(world.run(world.queue().receive(2, milliseconds{0}))->size(), 2U);  // leases of the program that dies

  const testing::TempFolder after;
  world.copy_files_to(after.path());
  const auto database = world.open(after.path());
  const auto queue = open_queue(*database);
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) {  // those that were handed out are suspects
    const auto suspect = world.run(queue->receive_suspect());
    ASSERT_TRUE(suspect && *suspect);
    EXPECT_EQ((*suspect)->receives, 1);  // the crash cost none
    ids.push_back((*suspect)->job.request_id.value);
    ASSERT_TRUE(world.run(queue->acknowledge((*suspect)->receipt)));
  }
  const auto got = world.run(queue->receive(10, milliseconds{0}));
  ASSERT_TRUE(got);
  for (const auto& delivery : *got) ids.push_back(delivery.job.request_id.value);
  EXPECT_EQ(ids, (std::vector<std::string>{"a0", "a1", "a2", "a3", "a4"}));
}

TEST(SqliteJobQueue, AnExpiredLeaseIsRememberedOverARestart) {
  EmbeddedQueue world;
  ASSERT_TRUE(world.run(world.queue().enqueue(make_job("a"))));
  for (int i = 1; i <= 2; ++i) {
    EXPECT_EQ(world.run(world.queue().receive(1, milliseconds{0}))->at(0).receives, i);
    world.advance(limits::kVisibility);
  }
  ASSERT_TRUE(world.run(world.queue().depth()));
  ASSERT_TRUE(world.run(world.database->write<void>([](sqlite::Connection&) { return Result<void>{}; })));
  const testing::TempFolder after;
  world.copy_files_to(after.path());
  const auto database = world.open(after.path());
  const auto queue = open_queue(*database);
  EXPECT_EQ((*world.run(queue->receive_suspect()))->receives, 3);
}

TEST(SqliteJobQueue, ALeaseThatEndedWhileTheProgramStoodStillMayBeRenewed) {
  EmbeddedQueue world;
  ASSERT_TRUE(world.run(world.queue().enqueue(make_job("a"))));
  const std::string receipt = world.run(world.queue().receive(1, milliseconds{0}))->at(0).receipt;
  const auto receives = [&] { return world.run(world.queue().receive(1, milliseconds{0}))->size(); };
  for (const bool looked_at_first : {false, true}) {
    world.advance(std::chrono::hours{1});
    if (looked_at_first) EXPECT_EQ(receives(), 0U);
    EXPECT_TRUE(world.run(world.queue().extend(receipt)));
    EXPECT_EQ(receives(), 0U);
  }
  world.advance(std::chrono::hours{1});
  EXPECT_EQ(receives(), 0U);
  world.advance(limits::kVisibilityRenewal);
  EXPECT_EQ(receives(), 1U) << "whose holder did not";
}

TEST(SqliteJobQueue, EnqueueReturnsOnlyAfterTheCommit) {
  EmbeddedQueue world;
  // The writer thread is held inside a group, so that the job's group can't be committed yet.
  HeldWriter writer(*world.database);
  auto enqueued =
      std::async(std::launch::async, [&] { return world.run(world.queue().enqueue(make_job("a"))).has_value(); });
  EXPECT_EQ(enqueued.wait_for(milliseconds{50}), std::future_status::timeout);
  const auto commits = world.database->commits();
  writer.release();
  EXPECT_TRUE(enqueued.get());
  EXPECT_GE(world.database->commits(), commits + 2);
}

TEST(SqliteJobQueue, BoundsWhatWaits) {
  EmbeddedQueue world({.memory_jobs = 2, .durable_jobs = 2});
  for (const RunMode mode : {RunMode::async, RunMode::sync}) {
    const std::string kind = mode == RunMode::async ? "a" : "s";
    for (const char* n : {"1", "2"}) ASSERT_TRUE(world.run(world.queue().enqueue(make_job(kind + n, mode))));
    const auto third = world.run(world.queue().enqueue(make_job(kind + "3", mode)));
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().code, "queue_full");
    EXPECT_EQ(third.error().kind, ErrorKind::unavailable);
    EXPECT_GE(third.error().retry_after, std::chrono::seconds{1});
  }
  for (const auto& delivery : *world.run(world.queue().receive(4, milliseconds{0}))) {
    ASSERT_TRUE(world.run(world.queue().acknowledge(delivery.receipt)));
  }
  EXPECT_TRUE(world.run(world.queue().enqueue(make_job("a3"))));
  EXPECT_TRUE(world.run(world.queue().enqueue(make_job("s3", RunMode::sync))));
}

Task<void> note_receiver(JobQueue& queue, std::promise<std::thread::id>& receiver, std::latch& ended) {
  const auto got = co_await queue.receive(1, milliseconds{60'000});
  if (got && !got->empty()) {
    const auto thread = std::this_thread::get_id();
    EXPECT_TRUE(co_await queue.acknowledge(got->at(0).receipt));  // or its lease ends, and the other one has it as well
    receiver.set_value(thread);
  }
  ended.count_down();
}

Task<void> enqueue_and_note(JobQueue& queue, const Job& job, std::thread::id& sender) {
  sender = std::this_thread::get_id();
  EXPECT_TRUE(co_await queue.enqueue(job));
}

TEST(SqliteJobQueue, AJobGoesToTheReceiverOnItsOwnThread) {
  EmbeddedQueue world;
  std::set<std::thread::id> senders;
  for (int i = 0; i < 2; ++i) {  // each starts on the next thread
    std::promise<std::thread::id> receiver;
    std::latch ended(2);
    world.loops.spawn_on_each("test", [&] { return note_receiver(world.queue(), receiver, ended); });
    world.await_sleepers(2);
    std::thread::id sender;
    world.run_void(enqueue_and_note(world.queue(), make_job(std::to_string(i), RunMode::sync), sender));
    EXPECT_EQ(receiver.get_future().get(), sender);
    senders.insert(sender);
    world.advance(milliseconds{60'000});  // the other one has waited long enough
    ended.wait();
  }
  EXPECT_EQ(senders.size(), 2U);
}

TEST(SqliteJobQueue, DeadLettersAreKeptForTwoWeeks) {
  EmbeddedQueue world;
  ASSERT_TRUE(world.run(world.queue().enqueue(make_job("a"))));
  ASSERT_TRUE(
      world.run(world.queue().bury(world.run(world.queue().receive(1, milliseconds{0}))->at(0).receipt, "why")));
  ASSERT_TRUE(world.run(world.queue().sweep(world.now() + std::chrono::hours{13 * 24})));
  EXPECT_EQ(world.run(world.queue().depth())->dead, 1);
  ASSERT_TRUE(world.run(world.queue().sweep(world.now() + std::chrono::hours{14 * 24})));
  EXPECT_EQ(world.run(world.queue().depth())->dead, 0);
}

TEST(SqliteCodeUse, KnowsUnfinishedJobsOfBothKinds) {
  EmbeddedQueue world;
  SqliteCodeUse use(*world.database, world.queue());
  const std::string sha = make_job("x").code.sha256;
  for (const RunMode mode : {RunMode::async, RunMode::sync}) {
    EXPECT_EQ(*world.run(use.user_of(sha)), CodeUser::nobody);
    ASSERT_TRUE(world.run(world.queue().enqueue(make_job("x", mode))));
    EXPECT_EQ(*world.run(use.user_of(sha)), CodeUser::job);
    const auto got = world.run(world.queue().receive(1, milliseconds{0}));
    EXPECT_EQ(*world.run(use.user_of(sha)), CodeUser::job);
    ASSERT_TRUE(world.run(world.queue().acknowledge(got->at(0).receipt)));
  }
  EXPECT_EQ(*world.run(use.user_of(sha)), CodeUser::nobody);
}

TEST(SqliteRetiredCode, SurvivesARestart) {
  EmbeddedWorld world;
  SqliteRetiredCode retired(*world.database);
  for (const char* sha : {"c", "a", "b", "a"}) ASSERT_TRUE(world.run(retired.add(sha)));
  ASSERT_TRUE(world.run(retired.remove("b")));
  world.database.reset();
  world.database = world.open(world.folder.path());
  SqliteRetiredCode again(*world.database);
  EXPECT_EQ(*world.run(again.list()), (std::vector<std::string>{"c", "a"}));
}

}  // namespace
}  // namespace infra
