// A clock that jumps deletes nothing before it has stayed so for a day, in whichever direction, across restarts too.
#include "core/trusted_time.h"

#include <gtest/gtest.h>

#include <optional>

namespace infra {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using Seen = TrustedTime::Seen;

constexpr hours kMonth{30 * 24};

class TrustedTimeTest : public ::testing::Test {
 protected:
  // Time passes on both clocks, with a look every half minute as the sweeps have it.
  Seen pass(milliseconds time) {
    Seen seen = Seen::usual;
    for (milliseconds passed{0}; passed < time; passed += std::chrono::seconds(30)) {
      wall_ += std::chrono::seconds(30);
      steady_ += std::chrono::seconds(30);
      seen = time_->look(wall_, steady_);
    }
    return seen;
  }
  void restart(milliseconds away) {
    wall_ += away;
    steady_ = SteadyTime{hours(1)};
    time_.emplace(time_->state(), wall_, steady_);
  }

  WallTime wall_{kMonth * 12 * 50};
  SteadyTime steady_{hours(1)};
  std::optional<TrustedTime> time_{std::in_place, std::nullopt, wall_, steady_};
};

TEST_F(TrustedTimeTest, FollowsAClockThatGoesAsTimeDoes) {
  EXPECT_EQ(time_->now(), wall_) << "with nothing to compare it with, it is believed";
  EXPECT_EQ(pass(hours(100)), Seen::usual);
  EXPECT_EQ(time_->now(), wall_);
  wall_ += minutes(59);  // a time server's correction
  EXPECT_EQ(pass(minutes(1)), Seen::usual);
  EXPECT_EQ(time_->now(), wall_);
}

TEST_F(TrustedTimeTest, AJumpForwardCountsAfterADay) {
  const WallTime before = time_->now();
  wall_ += kMonth;
  EXPECT_EQ(pass(std::chrono::seconds(30)), Seen::jump_begins);
  EXPECT_EQ(pass(hours(23)), Seen::jump_goes_on);
  EXPECT_LT(time_->now() - before, hours(24)) << "time goes on, but no faster";
  EXPECT_GT(time_->now() - before, hours(22));
  pass(hours(1));
  EXPECT_EQ(time_->now(), wall_);
}

TEST_F(TrustedTimeTest, AClockThatComesBackHasDeletedNothing) {
  wall_ += kMonth;
  pass(hours(20));
  wall_ -= kMonth;
  EXPECT_EQ(pass(std::chrono::seconds(30)), Seen::jump_ends);
  EXPECT_EQ(time_->now(), wall_);
}

TEST_F(TrustedTimeTest, AJumpBackNeverGoesAheadOfTheClock) {
  wall_ -= kMonth;
  EXPECT_EQ(pass(std::chrono::seconds(30)), Seen::jump_begins);
  EXPECT_EQ(time_->now(), wall_) << "what is written from now on is young by this clock";
  pass(hours(24));
  EXPECT_EQ(time_->now(), wall_);
  EXPECT_EQ(pass(minutes(1)), Seen::usual);
}

TEST_F(TrustedTimeTest, AnotherJumpBeginsTheDayAnew) {
  wall_ += kMonth;
  pass(hours(23));
  wall_ += kMonth;
  pass(hours(23));
  EXPECT_LT(time_->now(), wall_ - kMonth);
  pass(hours(2));
  EXPECT_EQ(time_->now(), wall_);
}

TEST_F(TrustedTimeTest, AJumpWhileTheProgramWasAwayIsSeenAndItsDayGoesOnAcrossRestarts) {
  pass(hours(1));
  restart(minutes(30));
  EXPECT_EQ(pass(minutes(1)), Seen::usual) << "a restart is no jump";
  EXPECT_EQ(time_->now(), wall_);
  restart(kMonth);
  EXPECT_LT(time_->now(), wall_ - kMonth + hours(1)) << "before the first look";
  EXPECT_EQ(pass(hours(8)), Seen::jump_goes_on);
  restart(hours(16));  // a machine that is off at night
  pass(hours(8));
  restart(hours(16));
  EXPECT_LT(time_->now(), wall_ - kMonth);
  pass(hours(9));
  EXPECT_EQ(time_->now(), wall_);
}

}  // namespace
}  // namespace infra
