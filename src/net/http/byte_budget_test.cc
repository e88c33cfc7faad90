// Bytes are taken before they are there, in the order of asking, and none is lost.
#include "net/http/byte_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <vector>

#include "net/loops/event_loops.h"

namespace infra::net {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

SteadyTime in(milliseconds delay) {
  return std::chrono::steady_clock::now() + delay;
}

class ByteBudgetTest : public testing::Test {
 protected:
  ~ByteBudgetTest() override { loops_.stop(); }

  std::future<bool> ask(std::uint64_t bytes, SteadyTime deadline = in(seconds(20))) {
    auto answer = std::make_shared<std::promise<bool>>();
    auto future = answer->get_future();
    loops_.spawn("test",
                 [](ByteBudget& budget, std::uint64_t size, SteadyTime until,
                    std::shared_ptr<std::promise<bool>> told) -> Task<void> {
                   told->set_value(co_await budget.take(size, until));
                 }(budget_, bytes, deadline, std::move(answer)));
    return future;
  }
  void wait_for_short(int times) {
    while (short_ < times) short_.wait(short_.load());
  }

  std::atomic<int> short_ = 0;
  std::vector<double> told_;
  ByteBudget budget_{1000, [this](double pressure) { told_.push_back(pressure); },
                     [this] {
                       ++short_;
                       short_.notify_all();
                     }};
  EventLoops loops_{1, 1};
};

TEST_F(ByteBudgetTest, GivesWhatThereIs) {
  EXPECT_TRUE(budget_.try_take(600));
  EXPECT_FALSE(budget_.try_take(401));
  EXPECT_TRUE(budget_.try_take(400));
  EXPECT_FALSE(budget_.is_short());
  budget_.give_back(1000);
  EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(ByteBudgetTest, WhoAsksForMoreThanThereIsWaitsToBeAlone) {
  EXPECT_TRUE(budget_.try_take(1));
  EXPECT_FALSE(budget_.try_take(5000));
  budget_.give_back(1);
  EXPECT_TRUE(budget_.try_take(5000));
  EXPECT_FALSE(budget_.try_take(1));
}

TEST_F(ByteBudgetTest, TheLineIsServedInOrderAndNobodyPassesIt) {
  ASSERT_TRUE(budget_.try_take(900));
  auto large = ask(800);
  wait_for_short(1);
  EXPECT_TRUE(budget_.is_short());
  EXPECT_FALSE(budget_.try_take(50)) << "else a large one might never come to its turn";
  auto small = ask(150);
  wait_for_short(2);
  budget_.give_back(900);
  EXPECT_TRUE(large.get());
  EXPECT_TRUE(small.get());
  EXPECT_EQ(budget_.used(), 950U);
}

TEST_F(ByteBudgetTest, WhoGivesUpTakesNothing) {
  ASSERT_TRUE(budget_.try_take(1000));
  EXPECT_FALSE(ask(10, in(milliseconds(20))).get());
  EXPECT_EQ(budget_.used(), 1000U);
  budget_.give_back(1000);
  EXPECT_TRUE(budget_.try_take(1000)) << "nobody stands in line any more";
}

TEST_F(ByteBudgetTest, AnswersCountPastTheBound) {
  budget_.take_anyway(1500);
  EXPECT_TRUE(budget_.is_short());
  EXPECT_EQ(short_, 1);
  EXPECT_FALSE(budget_.try_take(1));
  budget_.give_back(1500);
  EXPECT_TRUE(budget_.try_take(1));
  EXPECT_THAT(told_, ElementsAre(1.5, 0));
}

}  // namespace
}  // namespace infra::net
