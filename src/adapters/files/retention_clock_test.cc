// The time that deletions go by survives a restart, and a file that says nothing is as good as none.
#include "adapters/files/retention_clock.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_folder.h"

namespace infra {
namespace {

using std::chrono::hours;

// Its two times are moved apart by the test.
class TwoClocks final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override { return wall; }
  [[nodiscard]] SteadyTime steady_now() const override { return steady; }
  Task<void> sleep_until(SteadyTime) override { co_return; }
  [[nodiscard]] std::shared_ptr<Signal> make_signal() override { return nullptr; }
  int poll(std::span<pollfd>, SteadyTime) override { return 0; }
  void pause_until(SteadyTime) override {}
  WallTime wall{hours(24 * 365 * 50)};
  SteadyTime steady{hours(1)};
};

TEST(RetentionClock, AJumpAcrossARestartDeletesNothing) {
  testing::TempFolder data;
  TwoClocks clock;
  const WallTime before = clock.wall;
  EXPECT_EQ(RetentionClock(data.path(), clock).look(), before);
  clock.wall += hours(24 * 30);
  EXPECT_EQ(RetentionClock(data.path(), clock).look(), before);
  clock.wall -= hours(24 * 30) - hours(1);
  EXPECT_EQ(RetentionClock(data.path(), clock).look(), clock.wall) << "it is right again";
}

TEST(RetentionClock, ItsOperatorMayHaveTheClockBelieved) {
  testing::TempFolder data;
  TwoClocks clock;
  (void)RetentionClock(data.path(), clock).look();
  clock.wall += hours(24 * 30);
  std::filesystem::remove(data.path() / "retention-clock");
  EXPECT_EQ(RetentionClock(data.path(), clock).look(), clock.wall);
  std::ofstream(data.path() / "retention-clock") << "nonsense";
  EXPECT_EQ(RetentionClock(data.path(), clock).look(), clock.wall);
}

}  // namespace
}  // namespace infra
