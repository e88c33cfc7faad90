// What is used stays, what is longest unused goes.
#include "core/lru.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace infra {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> keys(Lru<std::string, int>& lru) {
  std::vector<std::string> found;
  for (const auto& [key, value] : lru) found.push_back(key);
  return found;
}

TEST(LruTest, TheLongestUnusedGoesWhenAnotherComes) {
  Lru<std::string, int> lru(2);
  lru.use_or_make("a", [] { return 1; });
  lru.use_or_make("b", [] { return 2; });
  EXPECT_EQ(*lru.use("a"), 1);
  lru.use_or_make("c", [] { return 3; });
  EXPECT_THAT(keys(lru), ElementsAre("c", "a"));
  EXPECT_EQ(lru.use("b"), nullptr);
  EXPECT_EQ(lru.size(), 2U);
}

TEST(LruTest, PeekingIsNoUse) {
  Lru<std::string, int> lru(2);
  lru.use_or_make("a", [] { return 1; });
  lru.use_or_make("b", [] { return 2; });
  EXPECT_EQ(*lru.peek("a"), 1);
  EXPECT_EQ(lru.oldest(), 1);
  lru.use_or_make("c", [] { return 3; });
  EXPECT_EQ(lru.peek("a"), nullptr);
}

TEST(LruTest, WhatIsKnownIsNotMadeAgain) {
  Lru<std::string, int> lru(2);
  lru.use_or_make("a", [] { return 1; }) = 7;
  EXPECT_EQ(lru.use_or_make("a", []() -> int { throw 0; }), 7);
}

TEST(LruTest, ErasedOnesAreGone) {
  Lru<std::string, int> lru(3);
  for (const char* key : {"a", "b", "c"}) lru.use_or_make(key, [] { return 0; });
  lru.erase("b");
  lru.erase("b");
  lru.erase_oldest();
  EXPECT_THAT(keys(lru), ElementsAre("c"));
  lru.erase_oldest();
  EXPECT_TRUE(lru.empty());
  EXPECT_EQ(lru.peek("c"), nullptr);
}

}  // namespace
}  // namespace infra
