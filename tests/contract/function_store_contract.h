// What every FunctionStore promises. `Engine` is an EngineWorld with a `functions()`.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "contract/engine_world.h"
#include "ports/function_store.h"

namespace infra {

inline Function make_function(const std::string& id, WallTime uploaded_at) {
  Function f;
  f.id = {id};
  f.name = "Wörter zählen";
  f.description = "line one\nline \"two\"";
  f.original_name = "words.zip";
  f.runtime = Runtime::go;
  f.memory_mb = 256;
  f.timeout = milliseconds{4321};
  f.env = {{"EMPTY", ""}, {"TOKEN", "a=b\n\"c\""}};
  f.code = {"functions/" + id + "/1.zip", std::string(64, '0')};
  f.uploaded_at = f.updated_at = uploaded_at;
  return f;
}

inline void expect_same_settings(const Function& a, const Function& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.description, b.description);
  EXPECT_EQ(a.original_name, b.original_name);
  EXPECT_EQ(a.runtime, b.runtime);
  EXPECT_EQ(a.memory_mb, b.memory_mb);
  EXPECT_EQ(a.timeout, b.timeout);
  EXPECT_EQ(a.env, b.env);
  EXPECT_EQ(a.code, b.code);
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.uploaded_at, b.uploaded_at);
  EXPECT_EQ(a.updated_at, b.updated_at);
}

template <typename Engine>
class FunctionStoreContract : public ::testing::Test {
 protected:
  FunctionStore& store() { return engine_.functions(); }
  Function insert(const std::string& id, milliseconds age = {}) {
    const Function function = make_function(id, engine_.now() - age);
    const auto done = engine_.run(store().insert(function));
    EXPECT_TRUE(done) << done.error().message;
    return function;
  }
  Result<Function> find(const std::string& id) { return engine_.run(store().find({id})); }
  ErrorKind kind_of(const auto& failed) { return failed ? ErrorKind::internal : failed.error().kind; }

  // Waits, as long as the port allows, until the count is seen.
  Function find_counted(const std::string& id, std::int64_t invocations) {
    auto row = find(id);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{2};
    while (row && row->invocations != invocations && std::chrono::steady_clock::now() < end) row = find(id);
    return row.value();
  }
  static Task<void> count(FunctionStore& store, int runs, std::atomic<int>& left) {
    for (int i = 0; i < runs; ++i) {
      const RunCount run{
          .function_id = {"f"}, .duration_ms = 2, .handler_ms = i % 2 == 0 ? std::optional(0.5) : std::nullopt};
      EXPECT_TRUE(co_await store.count_run(run));
    }
    if (--left == 0) left.notify_all();
  }

  Engine engine_;
};

TYPED_TEST_SUITE_P(FunctionStoreContract);

TYPED_TEST_P(FunctionStoreContract, KeepsEveryField) {
  const Function function = this->insert("f");
  const auto found = this->find("f");
  ASSERT_TRUE(found);
  expect_same_settings(*found, function);
  EXPECT_EQ(this->kind_of(this->engine_.run(this->store().insert(function))), ErrorKind::conflict);
  EXPECT_EQ(this->kind_of(this->find("g")), ErrorKind::not_found);
}

TYPED_TEST_P(FunctionStoreContract, UpdateChangesOnlyWhatIsGiven) {
  const Function before = this->insert("f");
  FunctionChange change;
  change.memory_mb = 1024;
  change.code = CodeRef{"functions/f/2.zip", std::string(64, '1')};
  const WallTime now = this->engine_.now() + milliseconds{5};
  const auto old = this->engine_.run(this->store().update(before.id, change, now));
  ASSERT_TRUE(old);
  expect_same_settings(*old, before);

  Function wanted = before;
  wanted.memory_mb = 1024;
  wanted.code = *change.code;
  wanted.version = 2;
  wanted.updated_at = now;
  expect_same_settings(this->find("f").value(), wanted);
  EXPECT_EQ(this->kind_of(this->engine_.run(this->store().update({"g"}, change, now))), ErrorKind::not_found);
  EXPECT_EQ(this->kind_of(this->find("g")), ErrorKind::not_found);
}

TYPED_TEST_P(FunctionStoreContract, RemovedIsGoneAndCountsDoNotBringItBack) {
  const Function function = this->insert("f");
  const auto removed = this->engine_.run(this->store().remove(function.id));
  ASSERT_TRUE(removed);
  expect_same_settings(*removed, function);
  EXPECT_EQ(this->kind_of(this->find("f")), ErrorKind::not_found);
  EXPECT_EQ(this->kind_of(this->engine_.run(this->store().remove(function.id))), ErrorKind::not_found);
  EXPECT_TRUE(this->engine_.run(this->store().count_run({.function_id = {"f"}, .duration_ms = 1, .handler_ms = 1})));
  EXPECT_TRUE(this->engine_.run(this->store().list(10, ""))->functions.empty());
  EXPECT_EQ(this->kind_of(this->find("f")), ErrorKind::not_found);
  this->insert("f");
  EXPECT_EQ(this->find("f")->invocations, 0);
}

TYPED_TEST_P(FunctionStoreContract, CountsOfManyAddUp) {
  this->insert("f");
  std::atomic<int> left = 8;
  for (int i = 0; i < 8; ++i) this->engine_.spawn(this->count(this->store(), 50, left));
  while (left > 0) left.wait(left);
  const Function row = this->find_counted("f", 400);
  EXPECT_EQ(row.invocations, 400);
  EXPECT_DOUBLE_EQ(row.total_duration_ms, 800);
  EXPECT_EQ(row.handler_invocations, 200);
  EXPECT_DOUBLE_EQ(row.total_handler_ms, 100);
  EXPECT_EQ(row.version, 1);
  const auto page = this->engine_.run(this->store().list(10, ""));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->functions.at(0).invocations, 400);
}

TYPED_TEST_P(FunctionStoreContract, ListsOldestFirstInPages) {
  this->insert("z", milliseconds{30});
  this->insert("c", milliseconds{20});
  this->insert("a", milliseconds{20});  // the same instant: by id
  this->insert("b", milliseconds{20});
  this->insert("y", milliseconds{10});
  const std::vector<std::string> all = {"z", "a", "b", "c", "y"};
  for (int limit = 1; limit <= 6; ++limit) {
    std::vector<std::string> seen;
    std::string cursor;
    do {
      const auto page = this->engine_.run(this->store().list(limit, cursor));
      ASSERT_TRUE(page) << page.error().message;
      ASSERT_LE(page->functions.size(), static_cast<std::size_t>(limit));
      for (const auto& function : page->functions) seen.push_back(function.id.value);
      cursor = page->next_cursor;
    } while (!cursor.empty());
    EXPECT_EQ(seen, all) << "limit " << limit;
  }
}

TYPED_TEST_P(FunctionStoreContract, RefusesForeignCursors) {
  for (const char* cursor : {"x", "AAAA", "%00", "bG9ncwoxCjI", "\xff"}) {
    const auto page = this->engine_.run(this->store().list(10, cursor));
    ASSERT_FALSE(page) << cursor;
    EXPECT_EQ(page.error().code, "invalid_cursor");
    EXPECT_EQ(page.error().kind, ErrorKind::invalid);
  }
}

REGISTER_TYPED_TEST_SUITE_P(FunctionStoreContract, KeepsEveryField, UpdateChangesOnlyWhatIsGiven,
                            RemovedIsGoneAndCountsDoNotBringItBack, CountsOfManyAddUp, ListsOldestFirstInPages,
                            RefusesForeignCursors);

}  // namespace infra
