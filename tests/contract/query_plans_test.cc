// What a page of the API reads from SQLite is found by an index, however many rows there are: no reader scans a table.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "adapters/sqlite/sqlite_configuration_store.h"
#include "adapters/sqlite/sqlite_function_store.h"
#include "adapters/sqlite/sqlite_log_store.h"
#include "adapters/sqlite/sqlite_result_bus.h"
#include "adapters/sqlite/sqlite_run_series.h"
#include "contract/embedded_world.h"
#include "contract/sample_rows.h"
#include "core/mutex.h"

namespace infra {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// Every statement that any connection of this process runs, as it was written.
class Statements {
 public:
  static Statements& all() {
    static Statements statements;
    return statements;
  }
  std::set<std::string> take() {
    const MutexLock lock(mutex_);
    return std::exchange(seen_, {});
  }

 private:
  Statements() { sqlite3_auto_extension(reinterpret_cast<void (*)()>(&Statements::watch)); }
  static int watch(sqlite3* connection, const char** /*error*/, const void* /*api*/) {
    return sqlite3_trace_v2(connection, SQLITE_TRACE_STMT, &Statements::note, nullptr);
  }
  static int note(unsigned /*kind*/, void* /*context*/, void* statement, void* /*text*/) {
    Statements& own = all();
    const MutexLock lock(own.mutex_);
    own.seen_.insert(sqlite3_sql(static_cast<sqlite3_stmt*>(statement)));
    return 0;
  }

  Mutex mutex_;
  std::set<std::string> seen_ INFRA_GUARDED_BY(mutex_);
};

class QueryPlans : public ::testing::Test {
 protected:
  static constexpr int kRows = 5000;

  QueryPlans() {
    EXPECT_TRUE(world_.run(world_.database->write<void>([&](sqlite::Connection& connection) {
      return connection.execute_script(fmt::format(
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{0}) INSERT INTO logs("
          "function_id, timestamp, request_id, status, duration_ms, memory_mb, expires_at, error_code, message) "
          "SELECT 'f', 't' || i, 'r' || i, 0, 1, 128, {1}, '', '' FROM n",
          kRows, std::int64_t{1} << 50));
    })));
    for (const char* id : {"f", "g"}) EXPECT_TRUE(world_.run(functions_.insert(make_function(id, world_.now()))));
    (void)Statements::all().take();
  }

  // The steps of the plans of what was read since the last time.
  std::vector<std::string> plans() {
    std::vector<std::string> steps;
    for (const std::string& sql : Statements::all().take()) {
      if (!sql.starts_with("SELECT") && !sql.starts_with("WITH")) continue;
      auto of_one = world_.run(world_.database->read<std::vector<std::string>>([&](sqlite::Connection& connection) {
        std::vector<std::string> found;
        auto rows = connection.prepare("EXPLAIN QUERY PLAN " + sql);
        for (auto row = rows.step(); row && *row; row = rows.step()) found.push_back(rows.text(3));
        return Result<std::vector<std::string>>(std::move(found));
      }));
      EXPECT_THAT(of_one.value(), Not(IsEmpty())) << sql;
      std::ranges::move(*of_one, std::back_inserter(steps));
    }
    (void)Statements::all().take();
    return steps;
  }
  void expect_found_by_index(const std::string& page) {
    const auto steps = plans();
    EXPECT_THAT(steps, Contains(StartsWith("SEARCH"))) << page << " reads something";
    for (const std::string& step : steps) {
      if (step != "SCAN CONSTANT ROW") EXPECT_THAT(step, Not(StartsWith("SCAN"))) << page;
      EXPECT_THAT(step, Not(HasSubstr("TEMP B-TREE"))) << page << " sorts";
    }
  }

  // Before any connection.
  Statements& statements_ = Statements::all();
  EmbeddedWorld world_;
  SqliteFunctionStore functions_{*world_.database};
  SqliteLogStore logs_{*world_.database};
  SqliteConfigurationStore configuration_{*world_.database};
};

TEST_F(QueryPlans, AScanWouldBeSeen) {
  (void)world_.run(world_.database->read<std::int64_t>([](sqlite::Connection& connection) {
    return connection.query_integer("SELECT count(*) FROM logs WHERE message='x'");
  }));
  EXPECT_THAT(plans(), Contains(StartsWith("SCAN")));
}

TEST_F(QueryPlans, RunsOverTime) {
  SqliteRunSeries series(*world_.database);
  ASSERT_TRUE(world_.run(series.read({.function_id = {"f"}, .from = Minute{}, .steps = 60})));
  expect_found_by_index("a function's last hour");
  ASSERT_TRUE(world_.run(
      series.read({.function_id = {"f"}, .from = Minute{}, .step = std::chrono::minutes{360}, .steps = 120})));
  expect_found_by_index("a function's last month");
}

TEST_F(QueryPlans, Functions) {
  const auto first = world_.run(functions_.list(1, ""));
  ASSERT_TRUE(first);
  expect_found_by_index("the first page of functions");
  ASSERT_TRUE(world_.run(functions_.list(1, first->next_cursor)));
  expect_found_by_index("the next page of functions");
  SqliteFunctionStore fresh(*world_.database);  // that knows no row yet
  ASSERT_TRUE(world_.run(fresh.find({"f"})));
  expect_found_by_index("one function");
}

TEST_F(QueryPlans, Logs) {
  const auto first = world_.run(logs_.list({.function_id = {"f"}, .limit = 50, .start = {}, .cursor = {}}));
  ASSERT_EQ(first.value().rows.size(), 50U);
  expect_found_by_index("the first page of a log");
  ASSERT_TRUE(world_.run(logs_.list({.function_id = {"f"}, .limit = 50, .start = {}, .cursor = first->next_cursor})));
  expect_found_by_index("the next page of a log");
  ASSERT_TRUE(world_.run(logs_.list({.function_id = {"f"}, .limit = 50, .start = WallTime{}, .cursor = {}})));
  expect_found_by_index("a log since a time");
  ASSERT_TRUE(world_.run(logs_.find({"f"}, {"r17"})));
  expect_found_by_index("one run");
}

TEST_F(QueryPlans, ResultsAndConfiguration) {
  SqliteResultBus results(*world_.database);
  (void)world_.run(results.find({"r17"}));
  expect_found_by_index("a result");
  ASSERT_TRUE(world_.run(configuration_.get({.partition = "name", .sort = "a"})));
  expect_found_by_index("a name");
  ASSERT_TRUE(world_.run(configuration_.query("name", "", 50)));
  expect_found_by_index("a page of names");
}

}  // namespace
}  // namespace infra
