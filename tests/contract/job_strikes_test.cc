// What a crash costs on one machine: each job that was handed out one of three strikes, and no other anything. A crash
// is a copy of the files at that moment, opened anew.
#include <gmock/gmock.h>

#include <list>
#include <map>

#include "adapters/sqlite/sqlite_function_store.h"
#include "adapters/sqlite/sqlite_job_queue.h"
#include "adapters/sqlite/sqlite_log_store.h"
#include "adapters/sqlite/sqlite_quarantine.h"
#include "adapters/sqlite/sqlite_result_bus.h"
#include "adapters/sqlite/sqlite_settlement_store.h"
#include "contract/embedded_world.h"
#include "contract/job_queue_contract.h"
#include "contract/sample_rows.h"
#include "core/error_codes.h"

namespace infra {
namespace {

using sqlite::Connection;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// One life of the program after the other, each on the files that the one before it left.
class Lives : public EmbeddedWorld {
 public:
  Lives() { begin(folder.path()); }

  struct Life {
    explicit Life(std::unique_ptr<Database> d, std::unique_ptr<SqliteJobQueue> q, std::unique_ptr<SqliteQuarantine> z)
        : database(std::move(d)), queue(std::move(q)), quarantine(std::move(z)) {}
    std::unique_ptr<Database> database;
    std::unique_ptr<SqliteJobQueue> queue;
    std::unique_ptr<SqliteQuarantine> quarantine;
    SqliteFunctionStore functions{*database};
    SqliteLogStore logs{*database};
    SqliteRunRecorder recorder{*database, functions};
    SqliteResultBus results{*database};
    SqliteSettlementStore settlements{*database, results, recorder, *queue};
  };

  // Takes nothing with it but what is on the disk.
  void crash() {
    const auto& target = folders_.emplace_back();
    for (const char* name : {"infra.db", "infra.db-wal"}) {
      if (std::filesystem::exists(data_ / name)) std::filesystem::copy_file(data_ / name, target.path() / name);
    }
    begin(target.path());
  }

  SqliteJobQueue& queue() { return *life->queue; }
  const EpochStart& start() { return life->queue->epoch_start(); }

  void enqueue(const std::string& id, const std::string& code = "a", RunMode mode = RunMode::async) {
    Job job = make_job(id, mode);
    job.code.sha256 = std::string(64, code[0]);
    const auto queued = run(queue().enqueue(job));
    ASSERT_TRUE(queued) << queued.error().message;
  }
  std::vector<std::string> receive(int max = 10) {
    std::vector<std::string> ids;
    auto got = run(queue().receive(max, milliseconds{0}));
    EXPECT_TRUE(got);
    for (auto& delivery : *got) ids.push_back(keep(std::move(delivery)));
    return ids;
  }
  // Empty: there is none any more.
  std::string receive_suspect() {
    auto got = run(queue().receive_suspect());
    EXPECT_TRUE(got);
    return *got ? keep(std::move(**got)) : "";
  }
  void settle(const std::string& id) {
    const Delivery& delivery = handed_out.at(id);
    const auto settled = run(settling(delivery));
    ASSERT_TRUE(settled) << settled.error().message;
    EXPECT_TRUE(*settled);
  }
  Task<Result<bool>> settling(const Delivery& delivery) {
    JobResult result;
    result.request_id = delivery.job.request_id;
    result.function_id = delivery.job.function_id;
    result.status = RunStatus::success;
    LogRow row = make_log_row(result, delivery.job.accepted_at, now());
    return life->settlements.put(delivery, std::make_shared<const JobResult>(std::move(result)), std::move(row));
  }
  std::int64_t count(std::string_view sql) {
    return *life->database->read_now<std::int64_t>([sql](Connection& c) { return c.query_integer(sql); });
  }
  bool is_quarantined(const std::string& code) {
    return life->quarantine->remaining({"fn-1"}, {.key = "k", .sha256 = std::string(64, code[0])}).has_value();
  }

  std::map<std::string, Delivery> handed_out;
  std::optional<Life> life;

 private:
  std::string keep(Delivery delivery) {
    const std::string id = delivery.job.request_id.value;
    handed_out.insert_or_assign(id, std::move(delivery));
    return id;
  }
  void begin(const std::filesystem::path& data) {
    life.reset();
    database.reset();  // the world's own
    data_ = data;
    auto opened = open(data);
    auto queue = std::move(*SqliteJobQueue::open(*opened));
    auto quarantine = std::move(*SqliteQuarantine::open(*opened));
    life.emplace(std::move(opened), std::move(queue), std::move(quarantine));
  }

  std::list<testing::TempFolder> folders_;
  std::filesystem::path data_;
};

TEST(JobStrikes, ACrashCostsWhatWasHandedOutOneStrikeAndNothingElse) {
  Lives world;
  for (const char* id : {"a", "b"}) world.enqueue(id, id);
  world.enqueue("s", "c", RunMode::sync);
  ASSERT_THAT(world.receive(1), ElementsAre("a"));
  world.crash();
  EXPECT_TRUE(world.start().after_crash);
  EXPECT_EQ(world.start().struck, 1);
  EXPECT_THAT(world.receive(), ElementsAre("b")) << "the suspect is not among the others";
  EXPECT_EQ(world.receive_suspect(), "a");
  world.settle("a");
  EXPECT_EQ(world.receive_suspect(), "") << "nobody is suspected any more";
  EXPECT_FALSE(world.queue().has_suspects());
}

TEST(JobStrikes, TheThirdSettlesItBeforeTheQueueOpens) {
  Lives world;
  ASSERT_TRUE(world.run(world.life->functions.insert(make_function("fn-1", world.now()))));
  world.enqueue("poison");
  ASSERT_THAT(world.receive(), ElementsAre("poison"));
  for (int crash = 1; crash <= 2; ++crash) {
    world.crash();
    EXPECT_THAT(world.start().given_up, IsEmpty());
    ASSERT_EQ(world.receive_suspect(), "poison");
  }
  world.crash();
  ASSERT_EQ(world.start().given_up.size(), 1U);
  EXPECT_EQ(world.start().given_up[0].error_code, "worker_lost");
  EXPECT_FALSE(world.queue().has_suspects());
  EXPECT_THAT(world.receive(), IsEmpty());
  const auto found = world.run(world.life->results.find({"poison"}));
  ASSERT_TRUE(found);
  const auto kept = parse_job_result(found->json);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->status, RunStatus::error);
  EXPECT_EQ(kept->error_code, "worker_lost");
  EXPECT_EQ(world.run(world.life->logs.find({"fn-1"}, {"poison"}))->error_code, "worker_lost");
  EXPECT_EQ(world.run(world.life->functions.find({"fn-1"}))->invocations, 1);
  const auto depth = world.run(world.queue().depth());
  EXPECT_EQ(depth->ready + depth->in_flight, 0);
  EXPECT_EQ(depth->dead, 1);
  world.crash();
  EXPECT_THAT(world.start().given_up, IsEmpty());
  EXPECT_EQ(world.count("SELECT count(*) FROM logs"), 1);
}

TEST(JobStrikes, ACleanStopAndAGiveBackCostNone) {
  Lives world;
  for (const char* id : {"back", "stopped"}) world.enqueue(id, id);
  ASSERT_THAT(world.receive(), ElementsAre("back", "stopped"));
  ASSERT_TRUE(world.run(world.queue().give_back(world.handed_out.at("back").receipt)));
  world.crash();
  EXPECT_EQ(world.start().struck, 1) << "what was given back is not handed out";
  ASSERT_EQ(world.receive_suspect(), "stopped");
  ASSERT_TRUE(world.run(world.queue().end_epoch()));
  world.crash();
  EXPECT_FALSE(world.start().after_crash);
  EXPECT_EQ(world.start().struck, 0);
  EXPECT_TRUE(world.queue().has_suspects()) << "it has its strike still";
}

TEST(JobStrikes, AProgramThatDiesBeforeItHandsOutStrikesNobody) {
  Lives world;
  world.enqueue("bystander");
  ASSERT_THAT(world.receive(), ElementsAre("bystander"));
  for (int crash = 1; crash <= 10; ++crash) {
    world.crash();
    EXPECT_EQ(world.start().struck, crash == 1 ? 1 : 0);
    EXPECT_THAT(world.start().given_up, IsEmpty());
    EXPECT_THAT(world.receive(), IsEmpty());
  }
  EXPECT_EQ(world.receive_suspect(), "bystander");
}

// The disk knows of the start when the call begins, and no commit is made for it.
TEST(JobStrikes, AJobThatIsAwaitedIsStartedByTheCommitThatInsertsIt) {
  Lives world;
  std::promise<std::string> received;
  world.spawn([](SqliteJobQueue& queue, std::promise<std::string>& got) -> Task<void> {
    auto deliveries = co_await queue.receive(1, std::chrono::hours{1});
    got.set_value(deliveries && !deliveries->empty() ? deliveries->front().job.request_id.value : "none");
  }(world.queue(), received));
  world.await_sleepers(1);
  const auto commits = world.life->database->commits();
  world.enqueue("a");
  EXPECT_EQ(received.get_future().get(), "a");
  EXPECT_EQ(world.life->database->commits(), commits + 1);
  world.enqueue("waits", "b");
  world.crash();
  EXPECT_EQ(world.start().struck, 1);
  EXPECT_EQ(world.count("SELECT count(*) FROM job_starts"), 1);
}

TEST(JobStrikes, AStartThatCannotBeWrittenIsNone) {
  Lives world;
  world.enqueue("a");
  const auto execute = [&](const char* sql) {
    ASSERT_TRUE(world.run(world.life->database->write<void>([sql](Connection& c) { return c.execute(sql); })));
  };
  execute("CREATE TRIGGER refuse BEFORE INSERT ON job_starts BEGIN SELECT RAISE(ABORT, 'no'); END");
  EXPECT_FALSE(world.run(world.queue().receive(1, milliseconds{0})));
  EXPECT_EQ(world.run(world.queue().depth())->ready, 1);
  execute("DROP TRIGGER refuse");
  EXPECT_THAT(world.receive(), ElementsAre("a"));
}

TEST(JobStrikes, SuspectsAndTheirVersionsGoThroughOneLineOldestFirst) {
  Lives world;
  for (const char* id : {"a1", "b1", "a2", "b2", "c1"}) world.enqueue(id, id);
  ASSERT_THAT(world.receive(2), ElementsAre("a1", "b1"));
  world.crash();
  world.enqueue("a3", "a", RunMode::sync);
  world.enqueue("c2", "c", RunMode::sync);
  EXPECT_THAT(world.receive(), ElementsAre("c1", "c2"));
  EXPECT_EQ(world.receive_suspect(), "a1");
  EXPECT_THAT(world.receive(), IsEmpty()) << "its version waits for it";
  world.settle("a1");
  EXPECT_THAT(world.receive(), ElementsAre("a2", "a3"));
  EXPECT_EQ(world.receive_suspect(), "b1");
  ASSERT_TRUE(world.run(world.queue().give_back(world.handed_out.at("b1").receipt)));
  EXPECT_EQ(world.receive_suspect(), "b1");
  EXPECT_EQ(world.receive_suspect(), "b2") << "of a version with a suspect";
  world.settle("b2");
  EXPECT_TRUE(world.queue().has_suspects());
  world.settle("b1");
  EXPECT_FALSE(world.queue().has_suspects());
}

TEST(JobStrikes, AtTheStopSyncJobsLeaveTheSuspectsLine) {
  Lives world;
  world.enqueue("a1");
  ASSERT_THAT(world.receive(), ElementsAre("a1"));
  world.crash();
  world.enqueue("a2", "a", RunMode::sync);
  world.queue().wake_receivers();
  EXPECT_EQ(world.receive_suspect(), "");
  EXPECT_THAT(world.receive(), ElementsAre("a2"));
  EXPECT_EQ(world.run(world.queue().depth())->ready, 1);
}

TEST(JobStrikes, ThreeLostJobsOfAVersionQuarantineItForAnHour) {
  Lives world;
  for (const char* id : {"p1", "p2", "p3"}) world.enqueue(id);
  for (const char* id : {"waits", "other"}) world.enqueue(id, id[0] == 'o' ? "b" : "a");
  ASSERT_EQ(world.receive(3).size(), 3U);
  world.crash();
  for (const std::string& id : {"p1", "p2", "p3"}) {
    for (int alone = 1; alone <= 2; ++alone) {
      EXPECT_FALSE(world.is_quarantined("a"));
      ASSERT_EQ(world.receive_suspect(), id);
      world.crash();
    }
    EXPECT_EQ(world.start().given_up.at(0).request_id.value, id);
  }
  EXPECT_TRUE(world.is_quarantined("a"));
  EXPECT_FALSE(world.is_quarantined("b"));
  EXPECT_FALSE(world.queue().has_suspects());
  EXPECT_THAT(world.receive(), ElementsAre("waits", "other")) << "for the worker to settle, unstarted";
  world.advance(limits::kQuarantine - std::chrono::minutes{1});
  ASSERT_TRUE(world.run(world.queue().end_epoch()));
  world.crash();
  EXPECT_TRUE(world.is_quarantined("a"));
  world.advance(std::chrono::minutes{1});
  EXPECT_FALSE(world.is_quarantined("a"));
}

TEST(JobStrikes, LostJobsOfMoreThanAnHourAgoDoNotCount) {
  Lives world;
  Job job = make_job("a");
  for (int i = 1; i <= 5; ++i) {
    world.run_void(world.life->quarantine->note_lost(job));
    EXPECT_FALSE(world.life->quarantine->remaining(job.function_id, job.code)) << i;
    world.advance(std::chrono::minutes{31});
  }
  for (int i = 1; i <= 2; ++i) world.run_void(world.life->quarantine->note_lost(job));
  EXPECT_EQ(world.life->quarantine->remaining(job.function_id, job.code), limits::kQuarantine);
  job.code.sha256 = "new code";
  EXPECT_FALSE(world.life->quarantine->remaining(job.function_id, job.code));
}

TEST(SqliteSettlementStore, ResultRowAndJobAreOneTransaction) {
  Lives world;
  ASSERT_TRUE(world.run(world.life->functions.insert(make_function("fn-1", world.now()))));
  world.enqueue("a");
  ASSERT_THAT(world.receive(), ElementsAre("a"));
  const auto execute = [&](const char* sql) {
    ASSERT_TRUE(world.run(world.life->database->write<void>([sql](Connection& c) { return c.execute(sql); })));
  };
  for (const char* refuse :
       {"CREATE TRIGGER refuse BEFORE UPDATE ON function_counters BEGIN SELECT RAISE(ABORT, 'no'); END",
        "CREATE TRIGGER refuse BEFORE DELETE ON jobs BEGIN SELECT RAISE(ABORT, 'no'); END",
        "CREATE TRIGGER refuse BEFORE INSERT ON results BEGIN SELECT RAISE(ABORT, 'no'); END"}) {
    execute(refuse);
    EXPECT_FALSE(world.run(world.settling(world.handed_out.at("a"))));
    EXPECT_EQ(world.count("SELECT (SELECT count(*) FROM results) + (SELECT count(*) FROM logs)"), 0) << refuse;
    EXPECT_EQ(world.count("SELECT count(*) FROM jobs"), 1) << refuse;
    execute("DROP TRIGGER refuse");
  }
  const auto commits = world.life->database->commits();
  world.settle("a");
  EXPECT_EQ(world.life->database->commits(), commits + 1);
  world.crash();
  EXPECT_EQ(world.start().struck, 0);
  EXPECT_THAT(world.receive(), IsEmpty());
  EXPECT_FALSE(world.queue().has_suspects());
  EXPECT_TRUE(world.run(world.life->results.find({"a"}))->finished());
  EXPECT_EQ(world.run(world.life->functions.find({"fn-1"}))->invocations, 1);
  EXPECT_EQ(world.count("SELECT count(*) FROM job_starts"), 0);
}

TEST(SqliteSettlementStore, WhatIsGivenUpIsADeadLetterWithItsReason) {
  Lives world;
  for (const RunMode mode : {RunMode::async, RunMode::sync}) {
    world.enqueue("j", "a", mode);
    ASSERT_THAT(world.receive(), ElementsAre("j"));
    Delivery delivery = world.handed_out.at("j");
    delivery.receives = limits::kMaxReceives + 1;
    JobResult result = platform_error(delivery.job, {errors::worker_lost, "lost"});
    ASSERT_TRUE(world.run(
        world.life->settlements.put(delivery, std::make_shared<const JobResult>(std::move(result)), std::nullopt)));
    EXPECT_EQ(world.count("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL AND reason='lost'"), 1);
    ASSERT_TRUE(
        world.run(world.life->database->write<void>([](Connection& c) { return c.execute("DELETE FROM jobs"); })));
  }
  EXPECT_EQ(world.run(world.queue().depth())->dead, 2);
}

}  // namespace
}  // namespace infra
