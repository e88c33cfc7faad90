// The line before the suspects' slot: in order, bounded, and never longer than its messages are out of sight.
#include "adapters/redis/waiting_suspects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace infra {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WaitingSuspectsTest : public ::testing::Test {
 protected:
  WaitingSuspectsTest() { line_.open(); }
  static Delivery delivery(const std::string& receipt, std::size_t bytes = 0) {
    Delivery delivery;
    delivery.receipt = receipt;
    delivery.job.input = std::string(bytes, 'x');
    return delivery;
  }
  void add(const std::string& receipt, std::size_t bytes = 0) {
    ASSERT_EQ(line_.pause_for(delivery(receipt, bytes), now_), std::nullopt);
    line_.add({.delivery = delivery(receipt, bytes), .received = now_});
  }
  std::string take() {
    const auto taken = line_.take(now_);
    return taken ? taken->delivery.receipt : "";
  }

  WaitingSuspects line_;
  SteadyTime now_{std::chrono::hours{1}};
};

TEST_F(WaitingSuspectsTest, BeforeTheSlotOpensNobodyWaits) {
  WaitingSuspects line;
  EXPECT_EQ(line.pause_for(delivery("a"), now_), WaitingSuspects::kShortestPause);
  line.open();
  EXPECT_EQ(line.pause_for(delivery("a"), now_), std::nullopt);
}

TEST_F(WaitingSuspectsTest, TheOldestIsNext) {
  for (const char* receipt : {"a", "b", "c"}) add(receipt);
  EXPECT_EQ(take(), "a");
  EXPECT_TRUE(line_.is_in_slot("a"));
  EXPECT_EQ(take(), "b");
  EXPECT_FALSE(line_.is_in_slot("a"));
  line_.free_slot();
  EXPECT_FALSE(line_.is_in_slot("b"));
  EXPECT_EQ(line_.size(), 1U);
  EXPECT_EQ(take(), "c");
  EXPECT_EQ(take(), "");
}

TEST_F(WaitingSuspectsTest, WhatMayBeVisibleAgainIsNobodysHere) {
  add("a");
  now_ += seconds{10};
  add("b");
  now_ += seconds{14};
  EXPECT_TRUE(line_.any(now_));
  now_ += seconds{1};
  EXPECT_THAT(line_.take_all(now_), ElementsAre("b"));
  add("c");
  now_ += limits::kVisibility;
  EXPECT_FALSE(line_.any(now_));
  EXPECT_THAT(line_.take_all(now_), IsEmpty());
}

TEST_F(WaitingSuspectsTest, BehindOneThatRunsForLongNobodyWaits) {
  add("a");
  EXPECT_EQ(take(), "a");
  now_ += WaitingSuspects::kPatience - milliseconds{1};
  add("b");
  now_ += milliseconds{1};
  EXPECT_EQ(line_.pause_for(delivery("c"), now_), WaitingSuspects::kPatience);
  now_ += seconds{60};
  EXPECT_EQ(line_.pause_for(delivery("c"), now_), limits::kVisibility);
  line_.free_slot();
  EXPECT_EQ(line_.pause_for(delivery("c"), now_), std::nullopt);
}

TEST_F(WaitingSuspectsTest, ItHoldsSoManyAndSoManyBytes) {
  for (std::size_t i = 0; i < WaitingSuspects::kMost; ++i) add(std::to_string(i));
  EXPECT_EQ(line_.pause_for(delivery("one more"), now_), WaitingSuspects::kShortestPause);
  EXPECT_EQ(take(), "0");
  EXPECT_EQ(line_.pause_for(delivery("one more"), now_), std::nullopt);
  EXPECT_EQ(line_.take_all(now_).size(), WaitingSuspects::kMost - 1);
  line_.free_slot();

  add("large", WaitingSuspects::kMostBytes / 2);
  add("another", WaitingSuspects::kMostBytes / 3);
  EXPECT_EQ(line_.pause_for(delivery("third", WaitingSuspects::kMostBytes / 3), now_), WaitingSuspects::kShortestPause);
  EXPECT_EQ(take(), "large");
  add("third", WaitingSuspects::kMostBytes / 3);
}

}  // namespace
}  // namespace infra
