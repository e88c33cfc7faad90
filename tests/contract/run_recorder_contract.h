// What every RunRecorder promises. `Engine` is an EngineWorld with a `recorder()` and the `functions()` and `logs()`
// that show what it has recorded.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>

#include "contract/engine_world.h"
#include "contract/sample_rows.h"
#include "core/limits.h"
#include "ports/function_store.h"
#include "ports/log_store.h"
#include "ports/run_recorder.h"

namespace infra {

// Records runs of 2 ms of the function "f"; every other one has a handler time.
inline Task<void> record_runs(RunRecorder& recorder, std::string prefix, int runs, WallTime now,
                              std::atomic<int>& left) {
  for (int i = 0; i < runs; ++i) {
    LogRow row = make_log(fmt::format("{}-{}", prefix, i), now, now + limits::kLogTtl);
    row.duration_ms = 2;
    row.handler_ms = i % 2 == 0 ? std::optional(0.5) : std::nullopt;
    const auto put = co_await recorder.record(row);
    EXPECT_TRUE(put && *put);
  }
  if (--left == 0) left.notify_all();
}

template <typename Engine>
class RunRecorderContract : public ::testing::Test {
 protected:
  LogRow make_row(const std::string& request) {
    return make_log(request, engine_.now(), engine_.now() + limits::kLogTtl);
  }
  Result<bool> record(const LogRow& row) { return engine_.run(engine_.recorder().record(row)); }
  void insert() {
    const auto done = engine_.run(engine_.functions().insert(make_function("f", engine_.now())));
    ASSERT_TRUE(done) << done.error().message;
  }
  Result<Function> find() { return engine_.run(engine_.functions().find({"f"})); }
  Result<FunctionPage> list() { return engine_.run(engine_.functions().list(10, "")); }
  Result<LogRow> find_log(const std::string& request) { return engine_.run(engine_.logs().find({"f"}, {request})); }

  // Waits, as long as the port allows, until the count is seen.
  Function find_counted(std::int64_t invocations) {
    auto row = find();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{2};
    while (row && row->invocations != invocations && std::chrono::steady_clock::now() < end) row = find();
    return row.value();
  }

  Engine engine_;
};

TYPED_TEST_SUITE_P(RunRecorderContract);

TYPED_TEST_P(RunRecorderContract, OnlyTheFirstOfAKeyIsPutAndCounted) {
  this->insert();
  LogRow row = this->make_row("r");
  const std::string message = row.message;
  EXPECT_TRUE(this->record(row).value());
  row.message = "another";
  EXPECT_FALSE(this->record(row).value());
  EXPECT_EQ(this->find_log("r")->message, message);
  EXPECT_TRUE(this->record(this->make_row("s")).value());  // once this one is seen, a count of the refused one would be
  EXPECT_EQ(this->find_counted(2).invocations, 2);
  EXPECT_EQ(this->list()->functions.at(0).invocations, 2);
}

TYPED_TEST_P(RunRecorderContract, AFunctionThatIsGoneIsNotBroughtBack) {
  this->insert();
  ASSERT_TRUE(this->engine_.run(this->engine_.functions().remove({"f"})));
  EXPECT_TRUE(this->record(this->make_row("r")).value());
  EXPECT_TRUE(this->find_log("r"));
  EXPECT_TRUE(this->list()->functions.empty());
  const auto found = this->find();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::not_found);
  this->insert();
  EXPECT_EQ(this->find()->invocations, 0);
}

TYPED_TEST_P(RunRecorderContract, CountsOfManyAddUp) {
  this->insert();
  std::atomic<int> left = 8;
  for (int i = 0; i < 8; ++i) {
    this->engine_.spawn(record_runs(this->engine_.recorder(), std::to_string(i), 50, this->engine_.now(), left));
  }
  for (int seen = left; seen > 0; seen = left) left.wait(seen);
  const Function row = this->find_counted(400);
  EXPECT_EQ(row.invocations, 400);
  EXPECT_DOUBLE_EQ(row.total_duration_ms, 800);
  EXPECT_EQ(row.handler_invocations, 200);
  EXPECT_DOUBLE_EQ(row.total_handler_ms, 100);
  EXPECT_EQ(row.version, 1);
  const auto page = this->list();
  ASSERT_TRUE(page);
  EXPECT_EQ(page->functions.at(0).invocations, 400);
}

REGISTER_TYPED_TEST_SUITE_P(RunRecorderContract, OnlyTheFirstOfAKeyIsPutAndCounted, AFunctionThatIsGoneIsNotBroughtBack,
                            CountsOfManyAddUp);

}  // namespace infra
