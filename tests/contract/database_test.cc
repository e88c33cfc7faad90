// What the engines on infra.db rely on: group commits, writes that fail alone, a full disk, files that can't be opened.
#include "adapters/sqlite/database.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <future>
#include <stdexcept>
#include <thread>

#include "adapters/sqlite/sqlite_function_store.h"
#include "adapters/sqlite/sqlite_log_store.h"
#include "contract/embedded_world.h"
#include "contract/sample_rows.h"
#include "core/error_codes.h"
#include "support/stepping_executor.h"

namespace infra {
namespace {

using sqlite::Connection;

Result<void> retire(Connection& connection, const std::string& sha) {
  return connection.prepare("INSERT INTO retired_code(sha256) VALUES(?)").bind(sha).run();
}

std::int64_t retired(EmbeddedWorld& world) {
  return world
      .run(world.database->read<std::int64_t>(
          [](Connection& connection) { return connection.query_integer("SELECT count(*) FROM retired_code"); }))
      .value();
}

// One row is written anew; bytes that stay as they are would not reach the log.
Result<void> write_mebibyte(EmbeddedWorld& world, int number) {
  return world.run(world.database->write<void>([number](Connection& connection) {
    const std::string bytes(1 << 20, static_cast<char>('a' + (number % 26)));
    return connection
        .prepare("INSERT INTO results VALUES('r', 0, '', ?) ON CONFLICT DO UPDATE SET result=excluded.result")
        .bind(bytes)
        .run();
  }));
}

TEST(Database, AFailingWriteSpoilsNoOtherOfItsGroup) {
  EmbeddedWorld world;
  HeldWriter writer(*world.database);
  const auto commits = world.database->commits();
  std::vector<std::promise<bool>> outcomes(5);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    world.database->submit(
        {.apply = [i](Connection& connection) -> Result<void> {
           if (auto done = retire(connection, std::to_string(i)); !done) return done;
           if (i == 2) return fail(errors::job_exists, "No.");
           if (i == 3) throw std::runtime_error("one that breaks");
           return {};
         },
         .settled = [&, i](const Result<void>& outcome) { outcomes[i].set_value(outcome.has_value()); }});
  }
  writer.release();
  for (std::size_t i = 0; i < outcomes.size(); ++i) EXPECT_EQ(outcomes[i].get_future().get(), i != 2 && i != 3) << i;
  EXPECT_EQ(retired(world), 3);
  EXPECT_EQ(world.database->commits(), commits + 2);  // the held write's, and one for all five
}

// Serial runs would else be a commit each.
TEST(Database, WritesWithoutHasteShareACommit) {
  EmbeddedWorld world;
  const auto commits = world.database->commits();
  std::vector<std::future<void>> settled;
  for (int i = 0; i < 10; ++i) {
    auto done = std::make_shared<std::promise<void>>();
    settled.push_back(done->get_future());
    world.spawn([](Database& database, int number, std::shared_ptr<std::promise<void>> end) -> Task<void> {
      const auto written = co_await database.write<void>(
          [number](Connection& c) { return retire(c, std::to_string(number)); }, nullptr, Database::Haste::none);
      EXPECT_TRUE(written);
      end->set_value();
    }(*world.database, i, done));
  }
  for (auto& one : settled) one.wait();
  EXPECT_EQ(retired(world), 10);
  EXPECT_LT(world.database->commits(), commits + 10);
}

// What a platform on virtual time does with it: no thread of its own, and no time but the clock's.
TEST(Database, StepsOnAThreadThatIsGivenToIt) {
  testing::TempFolder folder;
  ManualClock clock;
  fakes::SteppingExecutor executor;
  auto database = Database::open(folder.path() / "infra.db", executor, clock);
  ASSERT_TRUE(database);
  ASSERT_EQ(executor.backgrounds.size(), 2U);
  fakes::SteppingBackground& writer = *executor.backgrounds.back();
  const auto retire_here = [](Connection& connection) { return retire(connection, "now"); };
  ASSERT_TRUE((*database)->write_now<void>(retire_here));

  const auto commits = (*database)->commits();
  int settled = 0;
  const auto submit = [&](const char* sha, bool urgent) {
    (*database)->submit({.apply = [sha](Connection& connection) { return retire(connection, sha); },
                         .settled = [&settled](const Result<void>& outcome) { settled += outcome ? 1 : 0; },
                         .urgent = urgent});
  };
  submit("a", false);
  EXPECT_TRUE(writer.woken());
  EXPECT_EQ(writer.make_step(), clock.steady_now() + milliseconds(10));
  submit("b", false);
  EXPECT_FALSE(writer.woken());  // one more of those that wait
  EXPECT_EQ(settled, 0);
  EXPECT_EQ(writer.make_step(), SteadyTime::max());
  EXPECT_EQ(settled, 2);

  submit("c", false);
  (void)writer.make_step();
  submit("d", true);
  EXPECT_TRUE(writer.woken());
  EXPECT_EQ(writer.make_step(), SteadyTime::max());
  EXPECT_EQ(settled, 4);
  EXPECT_EQ((*database)->commits(), commits + 2);

  submit("e", false);
  database->reset();
  EXPECT_EQ(settled, 5);
}

TEST(Database, AFailedCommitFailsTheGroupAndPasses) {
  EmbeddedWorld world;
  DatabaseProbe probe("functions", *world.database);
  ASSERT_TRUE(world.run(world.database->write<void>([](Connection& c) { return retire(c, "before"); })));
  ASSERT_TRUE(world.run(probe.probe()));

  // Past the file size limit the commit's own write to the disk fails.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit full = before;
  full.rlim_cur = 4096;
  setrlimit(RLIMIT_FSIZE, &full);
  const auto refused = world.run(world.database->write<void>([](Connection& c) { return retire(c, "during"); }));
  const auto ill = world.run(probe.probe());
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::unavailable);
  EXPECT_FALSE(ill);
  EXPECT_TRUE(world.run(probe.probe()));
  ASSERT_TRUE(world.run(world.database->write<void>([](Connection& c) { return retire(c, "after"); })));
  EXPECT_EQ(retired(world), 2);
}

TEST(Database, SaysThatTheDiskIsFull) {
  EmbeddedWorld world;
  const std::string big(1 << 20, 'x');
  const auto write_big = [&](int max_pages) {
    return world.run(world.database->write<void>([&big, max_pages](Connection& connection) -> Result<void> {
      if (auto set = connection.execute_script(fmt::format("PRAGMA max_page_count = {}", max_pages)); !set) return set;
      return connection.prepare("INSERT INTO results VALUES('r', 0, '', ?)").bind(big).run();
    }));
  };
  const auto refused = write_big(1);  // at least as many as there are
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(refused.error().code, "disk_full");
  EXPECT_TRUE(write_big(1'000'000));
}

TEST(Database, ClosingCommitsWhatIsQueued) {
  EmbeddedWorld world;
  for (int i = 0; i < 1000; ++i) {
    world.database->submit({.apply = [i](Connection& connection) { return retire(connection, std::to_string(i)); },
                            .settled = [](const Result<void>&) {},
                            .urgent = false});
  }
  world.database.reset();
  world.database = world.open(world.folder.path());
  EXPECT_EQ(retired(world), 1000);
}

TEST(Database, TheWriteAheadLogStaysBounded) {
  EmbeddedWorld world;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(write_mebibyte(world, i));
  EXPECT_LT(std::filesystem::file_size(world.folder.path() / "infra.db-wal"), 48U << 20);
}

// As the sqlite3 shell does in which somebody has typed BEGIN. A commit that waited for it would take five seconds.
TEST(Database, AnOutsideReaderHoldsUpNoCommitAndItsLogIsSeenToGrowAndFall) {
  EmbeddedWorld world;
  const auto outside = Connection::open(world.folder.path() / "infra.db", Connection::Mode::read_only);
  ASSERT_TRUE(outside);
  ASSERT_TRUE((*outside)->execute("BEGIN"));
  ASSERT_TRUE((*outside)->query_integer("SELECT count(*) FROM results"));
  for (int i = 0; i < 68; ++i) ASSERT_TRUE(write_mebibyte(world, i));
  EXPECT_GT(world.database->log_bytes(), 64U << 20);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(write_mebibyte(world, i));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));

  ASSERT_TRUE((*outside)->execute("COMMIT"));
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (world.database->log_bytes() > 16U << 20 && std::chrono::steady_clock::now() < patience)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_LE(world.database->log_bytes(), 16U << 20) << "without a commit that would look after it";
  EXPECT_LE(std::filesystem::file_size(world.folder.path() / "infra.db-wal"), 16U << 20);
}

TEST(Database, AFileOfTheFirstSchemaIsBroughtUpToDate) {
  EmbeddedWorld world;
  ASSERT_TRUE(world.run(world.database->write<void>([](Connection& connection) {
    return connection.execute_script(R"sql(
      DROP TABLE logs;
      CREATE TABLE logs(
        function_id TEXT NOT NULL, timestamp TEXT NOT NULL, request_id TEXT NOT NULL, status INTEGER NOT NULL,
        duration_ms REAL NOT NULL, handler_ms REAL, memory_mb INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        message TEXT NOT NULL);
      CREATE UNIQUE INDEX logs_by_time ON logs(function_id, timestamp);
      CREATE INDEX logs_by_request ON logs(request_id);
      CREATE INDEX logs_by_expiry ON logs(expires_at);
      DROP VIEW counted_functions;
      ALTER TABLE functions DROP COLUMN network;
      ALTER TABLE functions DROP COLUMN keep_warm;
      ALTER TABLE functions DROP COLUMN max_concurrency;
      CREATE VIEW counted_functions AS SELECT f.id FROM functions f;
      ALTER TABLE jobs DROP COLUMN network;
      ALTER TABLE jobs DROP COLUMN keep_warm;
      ALTER TABLE jobs DROP COLUMN max_concurrency;
      INSERT INTO functions VALUES('f', 'n', 'n.zip', 1, 256, 1500, 'k', 's', 3, 1, 2, 'd', '{"A":"b"}');
      INSERT INTO function_counters VALUES('f', 7, 1.5, 6, 1.25);
      INSERT INTO logs VALUES('f', '2026-11-23T21:09:02.123Z', 'r', 1, 2.5, NULL, 256, 9999999999999, 'said');
      PRAGMA user_version = 1)sql");
  })));
  world.database.reset();
  world.database = world.open(world.folder.path());
  SqliteLogStore logs(*world.database);
  const auto row = world.run(logs.find({"f"}, {"r"}));
  ASSERT_TRUE(row) << row.error().message;
  EXPECT_EQ(row->message, "said");
  EXPECT_EQ(row->status, RunStatus::failed);
  EXPECT_EQ(row->allocated_memory_mb, 256);
  EXPECT_EQ(row->memory_mb, 0);
  EXPECT_FALSE(row->handler_ms);
  EXPECT_FALSE(row->profile);
  EXPECT_FALSE(row->output_attempt);
  SqliteFunctionStore functions(*world.database);
  const auto function = world.run(functions.find({"f"}));
  ASSERT_TRUE(function) << function.error().message;
  EXPECT_EQ(function->env, (Environment{{"A", "b"}}));
  EXPECT_EQ(function->version, 3);
  EXPECT_EQ(function->invocations, 7);
  EXPECT_EQ(function->network, Network::none);
  EXPECT_EQ(function->keep_warm, 0);
  EXPECT_EQ(function->max_concurrency, 0);
  EXPECT_EQ(world.run(logs.list({.function_id = {"f"}, .limit = 5, .start = {}, .cursor = {}}))->rows.size(), 1U);
}

TEST(Database, WhoWentBackToAnOlderProgramComesForthAgain) {
  EmbeddedWorld world;
  ASSERT_TRUE(world.run(world.database->write<void>(
      [](Connection& connection) { return connection.execute_script("PRAGMA user_version = 3"); })));
  world.database.reset();
  world.database = world.open(world.folder.path());
  SqliteLogStore logs(*world.database);
  EXPECT_EQ(world.run(logs.find({"f"}, {"r"})).error().kind, ErrorKind::not_found);
}

TEST(Database, ARowWhoseNumberMeansNothingIsAnError) {
  for (const std::string column : {"runtime", "network"}) {
    EmbeddedWorld world;
    SqliteFunctionStore functions(*world.database);
    ASSERT_TRUE(world.run(functions.insert(make_function("f", world.clock.now()))));
    ASSERT_TRUE(world.run(world.database->write<void>([&column](Connection& connection) {
      return connection.execute_script("UPDATE functions SET " + column + " = 99");
    })));
    functions.cache()->erase({"f"});
    const auto found = world.run(functions.find({"f"}));
    ASSERT_FALSE(found) << column;
    EXPECT_EQ(found.error().code, "engine_unavailable");
    EXPECT_NE(found.error().message.find(column), std::string::npos) << found.error().message;
  }
}

TEST(Database, SaysWhyAFileCannotBeOpened) {
  EmbeddedWorld world;
  const auto file = world.folder.path() / "other.db";
  std::ofstream(file) << std::string(8192, 'z');
  const auto broken = Database::open(file, world.executor, world.clock);
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find(file.string()), std::string::npos);
  EXPECT_NE(broken.error().message.find("not a database"), std::string::npos) << broken.error().message;

  const auto nowhere = Database::open(world.folder.path() / "no" / "infra.db", world.executor, world.clock);
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().message.find("No such file"), std::string::npos) << nowhere.error().message;

  ASSERT_TRUE(world.run(world.database->write<void>(
      [](Connection& connection) { return connection.execute_script("PRAGMA user_version = 99"); })));
  world.database.reset();
  const auto newer = Database::open(world.folder.path() / "infra.db", world.executor, world.clock);
  ASSERT_FALSE(newer);
  EXPECT_NE(newer.error().message.find("newer version"), std::string::npos) << newer.error().message;
}

}  // namespace
}  // namespace infra
