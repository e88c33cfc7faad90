// What every LogStore promises. `Engine` is an EngineWorld with a `logs()`.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "contract/engine_world.h"
#include "core/limits.h"
#include "ports/log_store.h"

namespace infra {

inline LogRow make_log(const std::string& request, WallTime at, WallTime expires_at) {
  LogRow row;
  row.function_id = {"f"};
  row.request_id = {request};
  row.timestamp = log_timestamp(row.request_id, at);
  row.status = RunStatus::failed;
  row.duration_ms = 12.5;
  row.handler_ms = 3.25;
  row.memory_mb = 128;
  row.message = "Zeile eins\nTraceback: \"x\"";
  row.expires_at = expires_at;
  return row;
}

template <typename Engine>
class LogStoreContract : public ::testing::Test {
 protected:
  LogStore& store() { return engine_.logs(); }
  LogRow append(const std::string& request, milliseconds age = {}) {
    const LogRow row = make_log(request, engine_.now() - age, engine_.now() + limits::kLogTtl);
    const auto put = engine_.run(store().append(row));
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

TYPED_TEST_P(LogStoreContract, OnlyTheFirstOfAKeyIsPut) {
  LogRow row = this->append("r");
  const std::string message = row.message;
  row.message = "another";
  const auto again = this->engine_.run(this->store().append(row));
  ASSERT_TRUE(again);
  EXPECT_FALSE(*again);
  const auto found = this->engine_.run(this->store().find({"f"}, {"r"}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->message, message);
  EXPECT_EQ(found->timestamp, row.timestamp);
  EXPECT_EQ(found->status, row.status);
  EXPECT_EQ(found->duration_ms, row.duration_ms);
  EXPECT_EQ(found->handler_ms, row.handler_ms);
  EXPECT_EQ(found->memory_mb, row.memory_mb);
  EXPECT_EQ(this->engine_.run(this->store().find({"g"}, {"r"})).error().kind, ErrorKind::not_found);
  EXPECT_EQ(this->engine_.run(this->store().find({"f"}, {"s"})).error().kind, ErrorKind::not_found);
}

TYPED_TEST_P(LogStoreContract, ListsNewestFirstInPages) {
  std::vector<LogRow> rows;
  for (int i = 0; i < 7; ++i)
    rows.push_back(this->append(fmt::format("r{}", i), milliseconds{i / 3}));  // some in one ms
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

TYPED_TEST_P(LogStoreContract, StartIsInclusiveToTheMillisecond) {
  this->append("new", milliseconds{9});
  this->append("at", milliseconds{10});
  this->append("old", milliseconds{11});
  LogQuery query;
  query.start = this->engine_.now() - milliseconds{10};
  EXPECT_EQ(this->list(query), (std::vector<std::string>{"new", "at"}));
}

TYPED_TEST_P(LogStoreContract, ExpiredRowsAreNeverGivenOut) {
  this->append("r");
  this->engine_.advance(limits::kLogTtl - milliseconds{1});
  EXPECT_EQ(this->list({}), std::vector<std::string>{"r"});
  this->engine_.advance(milliseconds{1});
  EXPECT_TRUE(this->list({}).empty());
  EXPECT_EQ(this->engine_.run(this->store().find({"f"}, {"r"})).error().kind, ErrorKind::not_found);
}

REGISTER_TYPED_TEST_SUITE_P(LogStoreContract, OnlyTheFirstOfAKeyIsPut, ListsNewestFirstInPages,
                            StartIsInclusiveToTheMillisecond, ExpiredRowsAreNeverGivenOut);

}  // namespace infra
