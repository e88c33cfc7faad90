// The log store's contract on SQLite, and its sweep.
#include "contract/log_store_contract.h"

#include "adapters/sqlite/sqlite_log_store.h"
#include "adapters/sqlite/sqlite_run_recorder.h"
#include "contract/embedded_world.h"

namespace infra {
namespace {

class EmbeddedLogs : public EmbeddedWorld {
 public:
  SqliteLogStore& logs() { return store_; }
  SqliteRunRecorder& recorder() { return recorder_; }

 private:
  SqliteFunctionStore functions_{*database};
  SqliteRunRecorder recorder_{*database, functions_};
  SqliteLogStore store_{*database};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, LogStoreContract, EmbeddedLogs);

TEST(SqliteLogStore, TheSweepDeletesExactlyTheExpired) {
  EmbeddedLogs world;
  ASSERT_TRUE(world.run(world.database->write<void>([&](sqlite::Connection& connection) {
    return connection.execute_script(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1200) INSERT INTO logs "
        "SELECT 'f', 't' || i, 'r' || i, 0, 1, NULL, 128, i, NULL, NULL, NULL, '', '', NULL, NULL FROM n");
  })));
  ASSERT_TRUE(world.run(world.logs().sweep(WallTime{milliseconds{1100}})));
  const auto left = world.run(world.database->read<std::int64_t>([](sqlite::Connection& connection) {
    return connection.query_integer("SELECT count(*) * 10000 + min(expires_at) FROM logs");
  }));
  EXPECT_EQ(left.value(), 100 * 10000 + 1101);
}

}  // namespace
}  // namespace infra
