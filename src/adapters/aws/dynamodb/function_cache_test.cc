// What a cache of rows must never do: show what was read before a change, or let an early read undo a later one.
#include "adapters/aws/dynamodb/function_cache.h"

#include <gtest/gtest.h>

namespace infra::aws {
namespace {

constexpr SteadyTime kNow{};
const FunctionId kF{"f"};

SharedFunction row_of_version(std::int64_t version, const std::string& id = "f") {
  Function row;
  row.id = {id};
  row.version = version;
  return std::make_shared<const Function>(row);
}

void put(FunctionCache& cache, const std::string& id, SteadyTime now) {
  EXPECT_TRUE(cache.finish_read(cache.begin_read({id}, now), row_of_version(1, id)));
}

TEST(FunctionCache, ARowIsCurrentForTwoSecondsAndKnownForTenMinutes) {
  FunctionCache cache;
  put(cache, "f", kNow);
  EXPECT_TRUE(cache.find(kF, kNow + FunctionCache::kCurrent - milliseconds{1})->current);
  EXPECT_FALSE(cache.find(kF, kNow + FunctionCache::kCurrent)->current);
  EXPECT_TRUE(cache.find(kF, kNow + FunctionCache::kKnown));
  EXPECT_FALSE(cache.find(kF, kNow + FunctionCache::kKnown + milliseconds{1}));
}

TEST(FunctionCache, WhatWasReadBeforeAChangeIsNotTaken) {
  FunctionCache cache;
  const auto early = cache.begin_read(kF, kNow);
  cache.changed(kF);
  EXPECT_FALSE(cache.finish_read(early, row_of_version(1)));
  EXPECT_FALSE(cache.find(kF, kNow));
  put(cache, "f", kNow);
  const auto refresh = cache.begin_refresh(kNow);
  cache.all_changed();
  EXPECT_FALSE(cache.find(kF, kNow)->current);
  ASSERT_EQ(refresh.size(), 1U);
  EXPECT_FALSE(cache.finish_read(refresh[0], row_of_version(1)));
  EXPECT_FALSE(cache.find(kF, kNow)->current);
  put(cache, "f", kNow);
  EXPECT_TRUE(cache.find(kF, kNow)->current);
}

TEST(FunctionCache, AnEarlierReadDoesNotUndoALaterOne) {
  FunctionCache cache;
  const auto early = cache.begin_read(kF, kNow);
  const auto late = cache.begin_read(kF, kNow);
  EXPECT_TRUE(cache.finish_read(late, row_of_version(2)));
  EXPECT_TRUE(cache.finish_read(early, row_of_version(1)));
  EXPECT_EQ(cache.find(kF, kNow)->row->version, 2);
  EXPECT_TRUE(cache.finish_read(early, nullptr));
  EXPECT_TRUE(cache.find(kF, kNow));
  EXPECT_TRUE(cache.finish_read(cache.begin_read(kF, kNow), nullptr));
  EXPECT_FALSE(cache.find(kF, kNow));
}

TEST(FunctionCache, AChangeWhileARowIsForgottenIsNotMissed) {
  FunctionCache cache(1);
  const auto early = cache.begin_read(kF, kNow);
  put(cache, "g", kNow);
  cache.changed(kF);
  EXPECT_FALSE(cache.finish_read(early, row_of_version(1)));
  const auto late = cache.begin_read(kF, kNow);
  EXPECT_FALSE(cache.finish_read(early, row_of_version(1)));
  EXPECT_TRUE(cache.finish_read(late, row_of_version(2)));
}

TEST(FunctionCache, TheLongestUnusedGoesFirst) {
  FunctionCache cache(2);
  put(cache, "a", kNow);
  put(cache, "b", kNow);
  EXPECT_TRUE(cache.find({"a"}, kNow));
  put(cache, "c", kNow);
  EXPECT_TRUE(cache.find({"a"}, kNow));
  EXPECT_FALSE(cache.find({"b"}, kNow));
}

TEST(FunctionCache, OnlyWhatWasUsedLatelyIsRefreshedAndWhatWasNotForLongIsForgotten) {
  FunctionCache cache;
  put(cache, "a", kNow);
  put(cache, "b", kNow + FunctionCache::kRecent);
  EXPECT_EQ(cache.begin_refresh(kNow + FunctionCache::kRecent).size(), 2U);
  const auto some = cache.begin_refresh(kNow + FunctionCache::kRecent + milliseconds{1});
  ASSERT_EQ(some.size(), 1U);
  EXPECT_EQ(some[0].id.value, "b");
  const auto early = cache.begin_read({"a"}, kNow + FunctionCache::kRecent);
  (void)cache.begin_refresh(kNow + FunctionCache::kRecent + FunctionCache::kKnown + milliseconds{1});
  EXPECT_FALSE(cache.finish_read(early, row_of_version(1, "a")));
}

}  // namespace
}  // namespace infra::aws
