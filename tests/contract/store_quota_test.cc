// infra.db's part of the disk: who has written most makes room, its oldest rows first, and no unfinished job's.
#include "adapters/sqlite/store_quota.h"

#include <gtest/gtest.h>

#include "adapters/sqlite/sqlite_function_store.h"
#include "adapters/sqlite/sqlite_log_store.h"
#include "adapters/sqlite/sqlite_result_bus.h"
#include "adapters/sqlite/sqlite_run_recorder.h"
#include "contract/embedded_world.h"
#include "contract/sample_rows.h"
#include "core/limits.h"

namespace infra {
namespace {

using sqlite::Connection;

constexpr std::uint64_t kMiB = limits::kMiB;

class StoreQuotaTest : public ::testing::Test {
 protected:
  // A run with 100 KB of log and 100 KB of result.
  void run(const std::string& function, const std::string& request) {
    LogRow row = make_log(request, world_.now(), world_.now() + limits::kLogTtl);
    row.function_id = {function};
    row.message = std::string(100'000, 'x');
    ASSERT_TRUE(world_.run(recorder_.record(row)));
    auto result = std::make_shared<JobResult>();
    result->request_id = {request};
    result->function_id = {function};
    result->value = '"' + std::string(100'000, 'x') + '"';
    Job job;
    job.request_id = {request};
    job.function_id = {function};
    job.mode = RunMode::async;
    ASSERT_TRUE(world_.run(results_.publish(job, result)));
    world_.advance(milliseconds(10));
  }
  void run_many(const std::string& function, int count) {
    for (int i = 0; i < count; ++i) run(function, function + "-" + std::to_string(i));
  }
  bool has_log(const std::string& function, const std::string& request) {
    return world_.run(logs_.find({function}, {request})).has_value();
  }
  bool has_result(const std::string& request) { return world_.run(results_.find({request})).has_value(); }

  EmbeddedWorld world_;
  SqliteFunctionStore functions_{*world_.database};
  SqliteLogStore logs_{*world_.database};
  SqliteRunRecorder recorder_{*world_.database, functions_};
  SqliteResultBus results_{*world_.database};
};

TEST_F(StoreQuotaTest, SumsForChartsGoLast) {
  const auto sums = [&] {
    return world_.database->read_now<std::int64_t>(
        [](Connection& connection) { return connection.query_integer("SELECT count(*) FROM run_sums"); });
  };
  run_many("f", 20);
  StoreQuota quota(*world_.database, kMiB);
  ASSERT_TRUE(world_.run(quota.keep()));
  EXPECT_FALSE(has_log("f", "f-0"));
  EXPECT_EQ(sums(), 2);
  ASSERT_TRUE(world_.run(StoreQuota(*world_.database, 0).keep()));
  EXPECT_EQ(sums(), 0);
}

TEST_F(StoreQuotaTest, NothingGoesWithinIt) {
  run_many("f", 5);
  StoreQuota quota(*world_.database, 100 * kMiB);
  ASSERT_TRUE(world_.run(quota.keep()));
  EXPECT_TRUE(has_log("f", "f-0"));
}

TEST_F(StoreQuotaTest, WhoHasWrittenMostLosesItsOldestRowsAndNobodyElseAny) {
  run("modest", "modest-0");
  run_many("greedy", 300);  // 60 MB
  StoreQuota quota(*world_.database, 30 * kMiB);
  ASSERT_TRUE(world_.run(quota.keep()));
  EXPECT_TRUE(has_log("modest", "modest-0")) << "the oldest of all";
  EXPECT_TRUE(has_result("modest-0"));
  EXPECT_FALSE(has_log("greedy", "greedy-0"));
  EXPECT_FALSE(has_result("greedy-0"));
  EXPECT_TRUE(has_log("greedy", "greedy-299"));
  EXPECT_TRUE(has_result("greedy-299"));
}

TEST_F(StoreQuotaTest, AfterARestartTheOldestGo) {
  run_many("f", 300);
  world_.database->written().forget("f");
  StoreQuota quota(*world_.database, 30 * kMiB);
  ASSERT_TRUE(world_.run(quota.keep()));
  EXPECT_FALSE(has_log("f", "f-0"));
  EXPECT_TRUE(has_log("f", "f-299"));
}

TEST_F(StoreQuotaTest, WhatSaysThatAnUnfinishedJobIsSettledStays) {
  run_many("f", 3);
  ASSERT_TRUE(world_.run(world_.database->write<void>([](Connection& connection) {
    return connection.execute_script(
        "INSERT INTO jobs(seq, request_id, receives, bytes, function_id, runtime, memory_mb, timeout_ms, code_key, "
        "code_sha256, mode, model_id, reply_to, accepted_at, traceparent, env, input) "
        "VALUES(1, 'f-1', 1, 1, 'f', 0, 128, 1000, '', '', 1, '', '', 0, '', '{}', '')");
  })));
  StoreQuota quota(*world_.database, 1);
  ASSERT_TRUE(world_.run(quota.keep()));
  EXPECT_FALSE(has_log("f", "f-0"));
  EXPECT_TRUE(has_log("f", "f-1"));
  EXPECT_FALSE(has_log("f", "f-2"));
}

}  // namespace
}  // namespace infra
