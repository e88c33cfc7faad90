// What every FunctionStore promises. `Engine` is an EngineWorld with a `functions()`.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "contract/engine_world.h"
#include "contract/sample_rows.h"
#include "ports/function_store.h"

namespace infra {

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
  change.set(&FunctionSettings::memory_mb, 1024);
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
  expect_same_settings(this->engine_.run(this->store().find_current({"f"})).value(), wanted);
  EXPECT_EQ(this->kind_of(this->engine_.run(this->store().find_current({"g"}))), ErrorKind::not_found);
  EXPECT_EQ(this->kind_of(this->engine_.run(this->store().update({"g"}, change, now))), ErrorKind::not_found);
  EXPECT_EQ(this->kind_of(this->find("g")), ErrorKind::not_found);
}

TYPED_TEST_P(FunctionStoreContract, SettingsGoBackToTheirDefaults) {
  const Function before = this->insert("f");
  FunctionChange change;
  change.set(&FunctionSettings::network, Network::none);
  change.set(&FunctionSettings::keep_warm, 0);
  change.set(&FunctionSettings::max_concurrency, 0);
  const WallTime now = this->engine_.now() + milliseconds{5};
  ASSERT_TRUE(this->engine_.run(this->store().update(before.id, change, now)));
  Function wanted = before;
  wanted.network = Network::none;
  wanted.keep_warm = wanted.max_concurrency = 0;
  wanted.version = 2;
  wanted.updated_at = now;
  expect_same_settings(this->find("f").value(), wanted);

  change.set(&FunctionSettings::network, Network::egress);
  change.set(&FunctionSettings::keep_warm, 16);
  change.set(&FunctionSettings::max_concurrency, 1000);
  ASSERT_TRUE(this->engine_.run(this->store().update(before.id, change, now)));
  const auto found = this->find("f").value();
  EXPECT_EQ(found.network, Network::egress);
  EXPECT_EQ(found.keep_warm, 16);
  EXPECT_EQ(found.max_concurrency, 1000);
  EXPECT_EQ(found.version, 3);
}

TYPED_TEST_P(FunctionStoreContract, RemovedIsGone) {
  const Function function = this->insert("f");
  const auto removed = this->engine_.run(this->store().remove(function.id));
  ASSERT_TRUE(removed);
  expect_same_settings(*removed, function);
  EXPECT_EQ(this->kind_of(this->find("f")), ErrorKind::not_found);
  EXPECT_EQ(this->kind_of(this->engine_.run(this->store().remove(function.id))), ErrorKind::not_found);
  EXPECT_TRUE(this->engine_.run(this->store().list(10, ""))->functions.empty());
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
                            SettingsGoBackToTheirDefaults, RemovedIsGone, ListsOldestFirstInPages,
                            RefusesForeignCursors);

}  // namespace infra
