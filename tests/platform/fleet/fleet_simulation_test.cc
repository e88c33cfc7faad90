// Seeds of the fleet's simulation: a fixed set, and some that nobody has seen before.
#include "platform/fleet/fleet_simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <random>

namespace infra::sim {
namespace {

using ::testing::IsEmpty;

constexpr std::uint64_t kFirst = 104;
constexpr int kFixed = 10;
constexpr std::clock_t kFreshSeconds = 2;  // of processor time

TEST(FleetSimulation, FixedSeedsHold) {
  int runs = 0, starts = 0;
  for (int i = 0; i < kFixed; ++i) {
    const std::uint64_t seed = kFirst + 4 * static_cast<std::uint64_t>(i);
    const Outcome outcome = play_any(draw_any_scenario(seed));
    EXPECT_THAT(outcome.complaints, IsEmpty()) << "again: ./dev simulate --seed " << seed;
    runs += outcome.runs;
    starts += outcome.starts;
  }
  EXPECT_GT(runs, 50) << "they do something";
  EXPECT_GT(starts, 50);
}

TEST(FleetSimulation, FreshSeedsHold) {
  const std::clock_t end = std::clock() + kFreshSeconds * CLOCKS_PER_SEC;
  std::random_device chance;
  for (std::uint64_t seed = std::uint64_t{chance()} << 20; std::clock() < end; seed += 4) {
    ASSERT_TRUE(is_fleet(seed));
    EXPECT_THAT(play_any(draw_any_scenario(seed)).complaints, IsEmpty()) << "again: ./dev simulate --seed " << seed;
  }
}

TEST(FleetSimulation, ASeedReplaysToTheLetter) {
  const Scenario scenario = draw_any_scenario(kFirst);
  const Outcome first = play_any(scenario, true);
  const Outcome second = play_any(scenario, true);
  EXPECT_EQ(first.trace, second.trace);
  EXPECT_EQ(first.fingerprint, second.fingerprint);
}

}  // namespace
}  // namespace infra::sim
