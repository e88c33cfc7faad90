// The line for compiles is bounded, a sender's part of it too, and turns go round.
#include "worker/code/build_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <optional>
#include <string>
#include <vector>

#include "support/worker_world.h"

namespace infra::worker {
namespace {

using ::testing::ElementsAre;

class BuildLineTest : public ::testing::Test {
 protected:
  // Takes a turn, and keeps it until done().
  void compile(const std::string& sender) {
    loop_.spawn("test", [](BuildLineTest& test, std::string who) -> Task<void> {
      auto turn = co_await test.line_.enter(who);
      if (!turn) {
        test.refused_.push_back(turn.error().code);
        co_return;
      }
      test.order_.push_back(who);
      test.turns_.push_back(std::move(*turn));
    }(*this, sender));
    settle();
  }
  void done() {
    loop_.run([](BuildLineTest& test) -> Task<void> {
      test.turns_.pop_front();
      co_return;
    }(*this));
    settle();
  }
  // Signals are posted to the loop: what they wake has run after some rounds of it.
  void settle() {
    for (int i = 0; i < 5; ++i) loop_.run(loop_.yield());
  }

  TestLoop loop_;
  TestClock clock_{loop_};
  BuildLine line_{clock_, {.at_once = 1, .waiting = 5, .waiting_of_one = 3}};
  std::deque<BuildLine::Turn> turns_;  // of the loop's thread, as are these
  std::vector<std::string> order_;
  std::vector<std::string> refused_;
};

TEST_F(BuildLineTest, TurnsGoRoundAmongTheSenders) {
  for (int i = 0; i < 4; ++i) compile("many");
  compile("one");
  for (int i = 0; i < 5; ++i) done();
  EXPECT_THAT(order_, ElementsAre("many", "many", "one", "many", "many"));
  EXPECT_EQ(line_.waiting(), 0U);
  compile("later");
  EXPECT_EQ(order_.back(), "later");
  done();
}

TEST_F(BuildLineTest, ASendersPartIsBoundedAndSoIsTheLine) {
  for (int i = 0; i < 6; ++i) compile("many");
  EXPECT_THAT(refused_, ElementsAre("builds_busy", "builds_busy")) << "one compiles, three wait";
  compile("b");
  compile("c");
  compile("d");
  EXPECT_EQ(refused_.size(), 3U) << "five wait";
  EXPECT_EQ(line_.waiting(), 5U);
  for (int i = 0; i < 6; ++i) done();
  EXPECT_THAT(order_, ElementsAre("many", "many", "b", "c", "many", "many"));
  EXPECT_EQ(refused_.size(), 3U);
}

}  // namespace
}  // namespace infra::worker
