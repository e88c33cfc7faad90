// The run recorder's contract on SQLite, that row and counters are one write, and that cached counters stay exact.
#include "contract/run_recorder_contract.h"

#include "adapters/sqlite/sqlite_log_store.h"
#include "adapters/sqlite/sqlite_run_recorder.h"
#include "contract/embedded_world.h"

namespace infra {
namespace {

using sqlite::Connection;

class EmbeddedRecorder : public EmbeddedWorld {
 public:
  SqliteFunctionStore& functions() { return functions_; }
  SqliteLogStore& logs() { return logs_; }
  SqliteRunRecorder& recorder() { return recorder_; }

  void insert() { ASSERT_TRUE(run(functions_.insert(make_function("f", now())))); }
  void execute(const char* sql) {
    const auto done = run(database->write<void>([sql](Connection& connection) { return connection.execute(sql); }));
    ASSERT_TRUE(done) << done.error().message;
  }

 private:
  SqliteFunctionStore functions_{*database};
  SqliteLogStore logs_{*database};
  SqliteRunRecorder recorder_{*database, functions_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, RunRecorderContract, EmbeddedRecorder);

TEST(SqliteRunRecorder, ARunThatCannotBeCountedLeavesNoRow) {
  EmbeddedRecorder world;
  world.insert();
  const LogRow row = make_log("r", world.now(), world.now() + limits::kLogTtl);
  world.execute("CREATE TRIGGER refuse BEFORE UPDATE ON function_counters BEGIN SELECT RAISE(ABORT, 'no'); END");
  EXPECT_FALSE(world.run(world.recorder().record(row)));
  EXPECT_EQ(world.run(world.logs().find({"f"}, {"r"})).error().kind, ErrorKind::not_found);
  EXPECT_EQ(world.run(world.functions().find({"f"}))->invocations, 0);
  world.execute("DROP TRIGGER refuse");
  EXPECT_TRUE(world.run(world.recorder().record(row)).value());
  EXPECT_EQ(world.run(world.functions().find({"f"}))->invocations, 1);
}

TEST(SqliteRunRecorder, NoReaderSeesARowWithoutItsCount) {
  EmbeddedRecorder world;
  world.insert();
  std::atomic<int> left = 4;
  for (int i = 0; i < 4; ++i) {
    world.spawn(record_runs(world.recorder(), std::to_string(i), 50, world.now(), left));
  }
  while (left > 0) {
    const auto uncounted = world.run(world.database->read<std::int64_t>([](Connection& connection) {
      return connection.query_integer(
          "SELECT (SELECT count(*) FROM logs) - (SELECT sum(invocations) FROM function_counters)");
    }));
    EXPECT_EQ(uncounted.value_or(-1), 0);
  }
}

TEST(SqliteRunRecorder, CachedCountersAreExactWhenItReturns) {
  EmbeddedRecorder world;
  world.insert();
  for (int i = 1; i <= 3; ++i) {
    const LogRow row = make_log(std::to_string(i), world.now(), world.now() + limits::kLogTtl);
    ASSERT_TRUE(world.run(world.recorder().record(row)).value());
    const auto found = world.run(world.functions().find({"f"}));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->invocations, i);
    EXPECT_DOUBLE_EQ(found->total_handler_ms, i * *row.handler_ms);
    EXPECT_EQ(world.run(world.functions().list(1, ""))->functions.at(0).invocations, i);
  }
}

TEST(SqliteRunRecorder, ACacheFilledWhileRunsAreRecordedStaysExact) {
  EmbeddedRecorder world;
  world.insert();
  constexpr int kRounds = 10;
  constexpr int kRuns = 20;
  for (int round = 1; round <= kRounds; ++round) {
    SqliteFunctionStore cold(*world.database);  // knows nothing yet: its first find() races with the counts below
    SqliteRunRecorder recorder(*world.database, cold);
    std::atomic<int> left = 2;
    for (int i = 0; i < 2; ++i) {
      world.spawn(record_runs(recorder, std::to_string(round) + "-" + std::to_string(i), kRuns / 2, world.now(), left));
    }
    do {
      EXPECT_TRUE(world.run(cold.find({"f"})));
    } while (left > 0);
    // A fill may still be queued.
    ASSERT_TRUE(world.run(world.database->write<void>([](Connection&) { return Result<void>{}; })));
    ASSERT_EQ(world.run(cold.find({"f"}))->invocations, round * kRuns);
    ASSERT_EQ(world.run(cold.list(1, ""))->functions.at(0).invocations, round * kRuns);
  }
}

}  // namespace
}  // namespace infra
