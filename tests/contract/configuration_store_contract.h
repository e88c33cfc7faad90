// What every ConfigurationStore promises. `Engine` is an EngineWorld with `configuration()`.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "contract/engine_world.h"
#include "ports/configuration_store.h"

namespace infra {

template <typename Engine>
class ConfigurationStoreContract : public ::testing::Test {
 protected:
  ConfigurationStore& store() { return engine_.configuration(); }

  static ConfigurationItem item(const std::string& sort, const std::string& mark) {
    return {.key = {.partition = "p", .sort = sort}, .attributes = {{"mark", mark}}};
  }
  static ConfigurationCondition marked(const std::string& mark) { return {.attribute = "mark", .value = mark}; }

  std::optional<ConfigurationItem> get(const std::string& sort) {
    auto got = engine_.run(store().get({.partition = "p", .sort = sort}));
    EXPECT_TRUE(got) << got.error().message;
    return got.value_or(std::nullopt);
  }
  std::string mark_of(const std::string& sort) {
    const auto got = get(sort);
    return got ? got->text("mark") : "none";
  }
  // "", or the code of what it failed with.
  std::string code_of(Result<void> done) { return done ? "" : done.error().code; }
  std::string put_new(const ConfigurationItem& it) { return code_of(engine_.run(store().put_new(it))); }
  std::string replace(const ConfigurationItem& it, const ConfigurationCondition& condition) {
    return code_of(engine_.run(store().replace(it, condition)));
  }
  std::string remove(const std::string& sort, const ConfigurationCondition& condition) {
    return code_of(engine_.run(store().remove({.partition = "p", .sort = sort}, condition)));
  }

  Engine engine_;
};

TYPED_TEST_SUITE_P(ConfigurationStoreContract);

TYPED_TEST_P(ConfigurationStoreContract, KeepsEveryAttribute) {
  ConfigurationItem item{.key = {.partition = "größe", .sort = "a/b c"},
                         .attributes = {{"text", std::string("\"ü\n")},
                                        {"empty", std::string()},
                                        {"number", std::int64_t{-7}},
                                        {"large", INT64_MAX},
                                        {"size", std::int64_t{1}},  // a word that DynamoDB reserves
                                        {"long", std::string(20'000, 'x')}}};
  ASSERT_EQ(this->put_new(item), "");
  EXPECT_EQ(this->engine_.run(this->store().get(item.key)).value(), item);
  item.expires_at = std::chrono::floor<std::chrono::seconds>(this->engine_.now()) + std::chrono::hours{1};
  item.attributes.erase("number");
  ASSERT_EQ(this->replace(item, {.attribute = "size", .value = std::int64_t{1}}), "");
  EXPECT_EQ(this->engine_.run(this->store().get(item.key)).value(), item) << "nothing is left of what it replaces";
}

TYPED_TEST_P(ConfigurationStoreContract, PutsWhatIsNew) {
  EXPECT_EQ(this->mark_of("a"), "none");
  EXPECT_EQ(this->put_new(this->item("a", "1")), "");
  EXPECT_EQ(this->put_new(this->item("a", "2")), "item_changed");
  EXPECT_EQ(this->mark_of("a"), "1");
  EXPECT_EQ(this->put_new({.key = {.partition = "q", .sort = "a"}, .attributes = {}}), "") << "another partition";
}

TYPED_TEST_P(ConfigurationStoreContract, ReplacesAndRemovesWhatIsAsItWas) {
  EXPECT_EQ(this->replace(this->item("a", "2"), this->marked("1")), "item_changed") << "nothing is there";
  EXPECT_EQ(this->remove("a", this->marked("1")), "item_changed");
  ASSERT_EQ(this->put_new(this->item("a", "1")), "");
  EXPECT_EQ(this->replace(this->item("a", "3"), this->marked("2")), "item_changed");
  EXPECT_EQ(this->replace(this->item("a", "3"), {.attribute = "other", .value = "1"}), "item_changed");
  EXPECT_EQ(this->replace(this->item("a", "3"), {.attribute = "mark", .value = std::int64_t{1}}), "item_changed");
  EXPECT_EQ(this->mark_of("a"), "1");
  EXPECT_EQ(this->replace(this->item("a", "2"), this->marked("1")), "");
  EXPECT_EQ(this->remove("a", this->marked("1")), "item_changed");
  EXPECT_EQ(this->mark_of("a"), "2");
  EXPECT_EQ(this->remove("a", this->marked("2")), "");
  EXPECT_EQ(this->mark_of("a"), "none");
}

TYPED_TEST_P(ConfigurationStoreContract, WhatHasExpiredIsNotThere) {
  ConfigurationItem item = this->item("a", "1");
  item.expires_at = std::chrono::floor<std::chrono::seconds>(this->engine_.now()) + std::chrono::seconds{60};
  ASSERT_EQ(this->put_new(item), "");
  EXPECT_EQ(this->put_new(this->item("a", "2")), "item_changed");
  EXPECT_EQ(this->mark_of("a"), "1");
  this->engine_.advance(std::chrono::seconds{60});
  EXPECT_EQ(this->mark_of("a"), "none");
  EXPECT_TRUE(this->engine_.run(this->store().query("p", "", 10))->items.empty());
  EXPECT_EQ(this->replace(this->item("a", "2"), this->marked("1")), "item_changed");
  EXPECT_EQ(this->remove("a", this->marked("1")), "item_changed");
  EXPECT_EQ(this->put_new(this->item("a", "3")), "");
  EXPECT_EQ(this->mark_of("a"), "3");
}

TYPED_TEST_P(ConfigurationStoreContract, ListsAPartitionInPages) {
  std::vector<std::string> put;
  for (int i = 0; i < 7; ++i) put.push_back(fmt::format("item-{}", i));
  put.insert(put.begin(), {"A", "_", "a"});  // byte by byte
  for (const auto& sort : put) ASSERT_EQ(this->put_new(this->item(sort, sort)), "");
  ASSERT_EQ(this->put_new({.key = {.partition = "q", .sort = "b"}, .attributes = {}}), "");
  for (const int limit : {1, 3, 10, 1000}) {
    std::vector<std::string> listed;
    std::string after;
    do {
      const auto page = this->engine_.run(this->store().query("p", after, limit));
      ASSERT_TRUE(page) << page.error().message;
      EXPECT_LE(page->items.size(), static_cast<std::size_t>(limit));
      for (const auto& item : page->items) listed.push_back(item.text("mark"));
      after = page->next;
    } while (!after.empty());
    EXPECT_EQ(listed, put) << limit;
  }
  const auto behind = this->engine_.run(this->store().query("p", "item-4x", 10));
  ASSERT_EQ(behind->items.size(), 2U) << "after may be of no item";
  EXPECT_EQ(behind->items[0].key.sort, "item-5");
}

REGISTER_TYPED_TEST_SUITE_P(ConfigurationStoreContract, KeepsEveryAttribute, PutsWhatIsNew,
                            ReplacesAndRemovesWhatIsAsItWas, WhatHasExpiredIsNotThere, ListsAPartitionInPages);

}  // namespace infra
