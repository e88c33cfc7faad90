// What every LogStore promises. `Engine` is an EngineWorld with `logs()` and the `recorder()` that fills them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "contract/engine_world.h"
#include "contract/sample_rows.h"
#include "core/limits.h"
#include "ports/log_store.h"
#include "ports/run_recorder.h"

namespace infra {

template <typename Engine>
class LogStoreContract : public ::testing::Test {
 protected:
  LogStore& store() { return engine_.logs(); }
  LogRow record(const std::string& request, milliseconds age = {}) {
    const LogRow row = make_log(request, engine_.now() - age, engine_.now() + limits::kLogTtl);
    const auto put = engine_.run(engine_.recorder().record(row));
    EXPECT_TRUE(put && *put);
    return row;
  }
  std::vector<std::string> list(LogQuery query) {
    query.function_id = {"f"};
    std::vector<std::string> ids;
    do {
      const auto page = engine_.run(store().list(query));
      EXPECT_TRUE(page) << page.error().message;
      if (!page) return ids;
      EXPECT_LE(page->rows.size(), static_cast<std::size_t>(query.limit));
      for (const auto& row : page->rows) ids.push_back(row.request_id.value);
      query.cursor = page->next_cursor;
    } while (!query.cursor.empty());
    return ids;
  }

  Engine engine_;
};

TYPED_TEST_SUITE_P(LogStoreContract);

TYPED_TEST_P(LogStoreContract, KeepsEveryField) {
  const LogRow row = this->record("r");
  const auto found = this->engine_.run(this->store().find({"f"}, {"r"}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->message, row.message);
  EXPECT_EQ(found->timestamp, row.timestamp);
  EXPECT_EQ(found->status, row.status);
  EXPECT_EQ(found->duration_ms, row.duration_ms);
  EXPECT_EQ(found->handler_ms, row.handler_ms);
  EXPECT_EQ(found->memory_mb, row.memory_mb);
  EXPECT_EQ(found->allocated_memory_mb, row.allocated_memory_mb);
  EXPECT_EQ(found->profile, row.profile);
  EXPECT_EQ(found->error_code, row.error_code);
  EXPECT_EQ(found->output_attempt, row.output_attempt);
  EXPECT_EQ(found->trace_id, row.trace_id);
  EXPECT_EQ(this->engine_.run(this->store().find({"g"}, {"r"})).error().kind, ErrorKind::not_found);
  EXPECT_EQ(this->engine_.run(this->store().find({"f"}, {"s"})).error().kind, ErrorKind::not_found);
}

TYPED_TEST_P(LogStoreContract, ListsNewestFirstInPages) {
  std::vector<LogRow> rows;
  for (int i = 0; i < 7; ++i)
    rows.push_back(this->record(fmt::format("r{}", i), milliseconds{i / 3}));  // some in one ms
  std::ranges::sort(rows, [](const LogRow& a, const LogRow& b) { return a.timestamp > b.timestamp; });
  std::vector<std::string> wanted;
  for (const auto& row : rows) wanted.push_back(row.request_id.value);
  for (int limit = 1; limit <= 8; ++limit) {
    LogQuery query;
    query.limit = limit;
    EXPECT_EQ(this->list(query), wanted) << "limit " << limit;
  }
  LogQuery other;
  other.function_id = {"g"};
  EXPECT_TRUE(this->engine_.run(this->store().list(other))->rows.empty());
  other.cursor = "nonsense";
  EXPECT_EQ(this->engine_.run(this->store().list(other)).error().code, "invalid_cursor");
}

TYPED_TEST_P(LogStoreContract, ARunThatWasNotMeasuredHasNoProfile) {
  LogRow row = make_log("r", this->engine_.now(), this->engine_.now() + limits::kLogTtl);
  row.profile.reset();
  row.memory_mb = 0;
  row.error_code.clear();
  row.output_attempt.reset();
  ASSERT_TRUE(this->engine_.run(this->engine_.recorder().record(row)).value());
  const auto found = this->engine_.run(this->store().find({"f"}, {"r"}));
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->profile);
  EXPECT_EQ(found->memory_mb, 0);
  EXPECT_EQ(found->allocated_memory_mb, row.allocated_memory_mb);
  EXPECT_EQ(found->error_code, "");
  EXPECT_EQ(found->output_attempt, std::nullopt);
}

TYPED_TEST_P(LogStoreContract, AListingMayLeaveTheMessagesOut) {
  const LogRow row = this->record("r");
  for (const bool messages : {true, false}) {
    const auto page = this->engine_.run(
        this->store().list({.function_id = {"f"}, .limit = 5, .start = {}, .cursor = {}, .messages = messages}));
    ASSERT_TRUE(page) << page.error().message;
    ASSERT_EQ(page->rows.size(), 1U);
    LogRow seen = page->rows.front();
    EXPECT_EQ(seen.message, messages ? row.message : "");
    EXPECT_EQ(seen.request_id, row.request_id);
    EXPECT_EQ(seen.timestamp, row.timestamp);
    EXPECT_EQ(seen.status, row.status);
    EXPECT_EQ(seen.error_code, row.error_code);
    EXPECT_EQ(seen.handler_ms, row.handler_ms);
    EXPECT_EQ(seen.duration_ms, row.duration_ms);
    EXPECT_EQ(seen.memory_mb, row.memory_mb);
    EXPECT_EQ(seen.allocated_memory_mb, row.allocated_memory_mb);
    EXPECT_EQ(seen.profile, row.profile);
  }
}

TYPED_TEST_P(LogStoreContract, OneTracesRowsAreFoundAmongOthers) {
  const std::string trace(32, 'a');
  std::vector<std::string> wanted;
  for (int i = 0; i < 9; ++i) {
    LogRow row =
        make_log(fmt::format("r{}", i), this->engine_.now() - milliseconds{i}, this->engine_.now() + limits::kLogTtl);
    if (i % 4 == 1) {
      row.trace_id = trace;
      wanted.push_back(row.request_id.value);
    } else if (i % 4 == 2) {
      row.trace_id.clear();
    }
    ASSERT_TRUE(this->engine_.run(this->engine_.recorder().record(row)).value());
  }
  for (int limit = 1; limit <= 4; ++limit) {
    LogQuery query;
    query.limit = limit;
    query.trace_id = trace;
    EXPECT_EQ(this->list(query), wanted) << "limit " << limit;
  }
  const auto page = this->engine_.run(this->store().list(
      {.function_id = {"f"}, .limit = 1, .start = {}, .cursor = {}, .messages = true, .trace_id = trace}));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->rows.front().trace_id, trace);
  EXPECT_NE(page->rows.front().message, "");
}

TYPED_TEST_P(LogStoreContract, StartIsInclusiveToTheMillisecond) {
  this->record("new", milliseconds{9});
  this->record("at", milliseconds{10});
  this->record("old", milliseconds{11});
  LogQuery query;
  query.start = this->engine_.now() - milliseconds{10};
  EXPECT_EQ(this->list(query), (std::vector<std::string>{"new", "at"}));
}

TYPED_TEST_P(LogStoreContract, ExpiredRowsAreNeverGivenOut) {
  this->record("r");
  this->engine_.advance(limits::kLogTtl - milliseconds{1});
  EXPECT_EQ(this->list({}), std::vector<std::string>{"r"});
  this->engine_.advance(milliseconds{1});
  EXPECT_TRUE(this->list({}).empty());
  EXPECT_EQ(this->engine_.run(this->store().find({"f"}, {"r"})).error().kind, ErrorKind::not_found);
}

REGISTER_TYPED_TEST_SUITE_P(LogStoreContract, KeepsEveryField, ARunThatWasNotMeasuredHasNoProfile,
                            AListingMayLeaveTheMessagesOut, ListsNewestFirstInPages, StartIsInclusiveToTheMillisecond,
                            OneTracesRowsAreFoundAmongOthers, ExpiredRowsAreNeverGivenOut);

}  // namespace infra
