// The minute, and the second more for each 4 KiB.
#include "net/http/patience.h"

#include <gtest/gtest.h>

namespace infra::net {
namespace {

using std::chrono::seconds;

constexpr SteadyTime kStart{seconds(1000)};

TEST(PatienceTest, AClientThatSendsNothingHasAMinute) {
  Patience patience;
  patience.begin_wait(kStart);
  EXPECT_EQ(patience.deadline(Pace{}), kStart + seconds(60));
}

TEST(PatienceTest, WhatHasGoneOverBuysTime) {
  Patience patience;
  patience.moved(40'960);
  patience.begin_wait(kStart);
  EXPECT_EQ(patience.deadline(Pace{}), kStart + seconds(70));
  EXPECT_EQ(patience.deadline(kHurriedPace), kStart + milliseconds(5'625));
}

TEST(PatienceTest, OnlyWaitingForItCounts) {
  Patience patience;
  patience.begin_wait(kStart);
  patience.end_wait(kStart + seconds(50));
  patience.begin_wait(kStart + seconds(500));  // in between we were busy ourselves
  EXPECT_EQ(patience.deadline(Pace{}), kStart + seconds(510));
}

// 50 MB at 7 KB/s take two hours, at 4 KB/s they are given up.
TEST(PatienceTest, SevenKilobytesASecondGoOnForEverThreeDoNot) {
  const auto sends_all = [](std::uint64_t bytes_a_second) {
    Patience patience;
    SteadyTime now = kStart;
    for (std::uint64_t sent = 0; sent < 50'000'000; sent += bytes_a_second) {
      patience.begin_wait(now);
      if (patience.deadline(Pace{}) <= now + seconds(1)) return false;
      now += seconds(1);
      patience.end_wait(now);
      patience.moved(bytes_a_second);
    }
    return true;
  };
  EXPECT_TRUE(sends_all(7'000));
  EXPECT_TRUE(sends_all(4'096));
  EXPECT_FALSE(sends_all(3'000));
  EXPECT_FALSE(sends_all(1));
}

}  // namespace
}  // namespace infra::net
