// Who gets which slot, and how much slot time: for chosen cases, and for any crowd of functions.
#include "core/fair_lines.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <string>
#include <utility>

namespace infra {

static std::ostream& operator<<(std::ostream& out, const SlotShares& shares) {
  return out << shares.common << '+' << shares.newcomers << '+' << shares.clients;
}
static bool operator==(const SlotShares& a, const SlotShares& b) {
  return a.common == b.common && a.newcomers == b.newcomers && a.clients == b.clients;
}

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const FunctionId kA{"a"}, kB{"b"}, kC{"c"};

TEST(SlotShares, TheLastEighthIsTheNewcomersAndOneTheClients) {
  EXPECT_EQ(SlotShares::of(1), (SlotShares{1, 0, 0}));
  EXPECT_EQ(SlotShares::of(2), (SlotShares{1, 1, 0}));
  EXPECT_EQ(SlotShares::of(3), (SlotShares{2, 1, 0}));
  EXPECT_EQ(SlotShares::of(4), (SlotShares{2, 2, 0}));
  EXPECT_EQ(SlotShares::of(5), (SlotShares{2, 2, 1}));
  EXPECT_EQ(SlotShares::of(8), (SlotShares{5, 2, 1}));
  EXPECT_EQ(SlotShares::of(16), (SlotShares{13, 2, 1}));
  EXPECT_EQ(SlotShares::of(64), (SlotShares{55, 8, 1}));
  for (int slots = 1; slots < 1000; ++slots) EXPECT_EQ(SlotShares::of(slots).all(), slots);
}

class FairLinesTest : public ::testing::Test {
 protected:
  void wait(const FunctionId& function, int count, RunMode mode = RunMode::async) {
    for (int i = 0; i < count; ++i) lines_.join(function, mode);
  }
  // The functions of the runs that are begun, a client's turn in brackets.
  std::string begin_all() {
    std::string begun;
    while (const auto turn = lines_.next()) {
      lines_.begin(*turn);
      begun += turn->client ? '(' + turn->function.value + ')' : turn->function.value;
    }
    return begun;
  }

  FairLines lines_{SlotShares::of(8)};
};

TEST_F(FairLinesTest, ABusyFunctionLeavesTheLastSlotsToOthers) {
  wait(kA, 1000);
  EXPECT_EQ(begin_all(), "aaaaa");
  wait(kB, 5);
  EXPECT_EQ(begin_all(), "b") << "then it has something running, too";
  wait(kC, 1);
  EXPECT_EQ(begin_all(), "c");
  wait({"d"}, 1);
  EXPECT_EQ(begin_all(), "");
  wait(kB, 2, RunMode::sync);
  EXPECT_EQ(begin_all(), "(b)");
  EXPECT_EQ(lines_.free_slots(), 0);
  lines_.end(kA, seconds(10));
  EXPECT_EQ(begin_all(), "d") << "who has nothing running is first, wherever a slot comes free";
  lines_.end(kA, seconds(10));
  lines_.end(kA, seconds(10));
  EXPECT_EQ(begin_all(), "") << "three run beside the five";
  lines_.end(kA, seconds(10));
  EXPECT_EQ(begin_all(), "b") << "a owes slot time";
}

TEST_F(FairLinesTest, ClientsOfABusyFunctionTakeNoNewcomersSlot) {
  wait(kA, 1000, RunMode::sync);
  EXPECT_EQ(begin_all(), "aaaaa(a)");
  wait(kB, 1);
  wait(kC, 1, RunMode::sync);
  EXPECT_EQ(begin_all(), "bc");
}

TEST_F(FairLinesTest, WhoIsAloneOwesNothing) {
  for (int i = 0; i < 1000; ++i) {
    wait(kA, 1);
    ASSERT_EQ(begin_all(), "a");
    if (i > 2) lines_.end(kA, seconds(900));
  }
  wait(kA, 2);
  EXPECT_TRUE(lines_.next());
  wait(kB, 1);
  EXPECT_EQ(begin_all(), "ba");
}

TEST_F(FairLinesTest, ALineThatIsHeldStandsStill) {
  wait(kA, 2);
  lines_.hold(kA);
  lines_.hold(kA);
  EXPECT_EQ(begin_all(), "");
  EXPECT_FALSE(lines_.begin_now(kA, RunMode::sync));
  EXPECT_EQ(lines_.waiting(), 2U);
  lines_.release(kA);
  EXPECT_EQ(begin_all(), "aa");
}

TEST_F(FairLinesTest, AJobAtHandFindsItsSlotByTheSameRules) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(lines_.begin_now(kA, RunMode::async));
  EXPECT_FALSE(lines_.begin_now(kA, RunMode::async));
  EXPECT_TRUE(lines_.begin_now(kA, RunMode::sync));
  EXPECT_FALSE(lines_.begin_now(kA, RunMode::sync));
  EXPECT_TRUE(lines_.begin_now(kB, RunMode::async));
  EXPECT_TRUE(lines_.begin_now(kC, RunMode::sync));
  EXPECT_FALSE(lines_.begin_now({"d"}, RunMode::sync));
  lines_.end(kA, seconds(1));
  EXPECT_TRUE(lines_.begin_now(kA, RunMode::sync));
}

TEST_F(FairLinesTest, NothingIsLeftOfWhoIsGone) {
  wait(kA, 3, RunMode::sync);
  lines_.withdraw(kA, RunMode::sync, 2);
  EXPECT_EQ(begin_all(), "a");
  lines_.note_client(kA);
  EXPECT_EQ(lines_.functions(), 1U);
  lines_.end(kA, seconds(1));
  EXPECT_EQ(lines_.functions(), 0U);
  EXPECT_EQ(lines_.waiting(), 0U);
  EXPECT_EQ(lines_.free_slots(), 8);
}

// Functions that each always have jobs waiting, whose runs take so long: how much slot time each had after a while.
// Time stands still but for the run that ends next.
std::map<std::string, seconds> serve(SlotShares slots, const std::map<std::string, milliseconds>& functions,
                                     milliseconds time) {
  FairLines lines(slots);
  std::multimap<milliseconds, std::string> ends;
  std::map<std::string, seconds> had;
  std::map<std::string, milliseconds> used;
  for (const auto& [name, takes] : functions) {
    for (int i = 0; i < 2; ++i) lines.join({name}, RunMode::async);
  }
  for (milliseconds now{}; now < time;) {
    while (const auto turn = lines.next()) {
      lines.begin(*turn);
      lines.join(turn->function, RunMode::async);
      ends.emplace(now + functions.at(turn->function.value), turn->function.value);
    }
    now = ends.begin()->first;
    const std::string name = ends.begin()->second;
    ends.erase(ends.begin());
    used[name] += functions.at(name);
    lines.end({name}, functions.at(name));
  }
  for (const auto& [name, sum] : used) had[name] = std::chrono::duration_cast<seconds>(sum);
  return had;
}

TEST(FairLinesShares, ManyShortRunsAndFewLongOnesGetTheSameSlotTime) {
  const auto had = serve(SlotShares::of(16), {{"long", seconds(10)}, {"short", milliseconds(15)}}, seconds(400));
  const auto all = static_cast<double>((had.at("long") + had.at("short")).count());
  EXPECT_GT(all, 0.95 * 13 * 400);
  EXPECT_NEAR(static_cast<double>(had.at("long").count()), 0.5 * all, 0.1 * all);
}

TEST(FairLinesProperties, WhoAlwaysWaitsHasAsMuchAsAnybodyElse) {
  EXPECT_TRUE(rc::check([] {
    const auto slots = SlotShares::of(*rc::gen::inRange(1, 40));
    std::map<std::string, milliseconds> functions;
    const int count = *rc::gen::inRange(2, 7);
    for (int i = 0; i < count; ++i) {
      functions[fmt::format("f{}", i)] =
          milliseconds{*rc::gen::oneOf(rc::gen::inRange(50, 200), rc::gen::inRange(1000, 10'000))};
    }
    const seconds time{200};
    const auto had = serve(slots, functions, time);
    const auto [least, most] = std::ranges::minmax_element(had, {}, [](const auto& had) { return had.second; });
    RC_ASSERT(least->second > most->second * 7 / 10 - seconds{30});
    RC_ASSERT(std::cmp_equal(had.size(), count));
  }));
}

TEST(FairLinesProperties, NoStepBreaksTheSlots) {
  EXPECT_TRUE(rc::check([] {
    const auto slots = SlotShares::of(*rc::gen::inRange(1, 40));
    FairLines lines(slots);
    std::map<std::string, int> running, waiting, clients;
    int all = 0;
    for (int step = *rc::gen::inRange(1, 400); step > 0; --step) {
      const std::string name(1, static_cast<char>('a' + *rc::gen::inRange(0, 5)));
      switch (*rc::gen::inRange(0, 4)) {
        case 0:
        case 1: {
          const auto mode = *rc::gen::element(RunMode::async, RunMode::sync);
          lines.join({name}, mode);
          ++waiting[name];
          if (mode == RunMode::sync) ++clients[name];
          break;
        }
        case 2:
          if (const auto turn = lines.next()) {
            const std::string whose = turn->function.value;
            RC_ASSERT(waiting[whose] > 0);
            if (turn->client) RC_ASSERT(clients[whose] > 0);
            lines.begin(*turn);
            --waiting[whose];
            if (turn->client) {
              --clients[whose];
            } else if (clients[whose] > waiting[whose]) {
              --clients[whose];
              lines.note_client(turn->function);
            }
            if (running[whose]++ > 0) RC_ASSERT(all < slots.common + slots.newcomers + slots.clients);
            ++all;
          } else {
            for (const auto& [whose, count] : waiting) {
              if (count > 0 && running[whose] == 0) RC_ASSERT(all >= slots.common + slots.newcomers);
            }
          }
          break;
        default:
          if (running[name] > 0) {
            --running[name];
            --all;
            lines.end({name}, milliseconds{*rc::gen::inRange(0, 20'000)});
          }
      }
      RC_ASSERT(lines.running() == all);
      RC_ASSERT(all <= slots.all());
    }
  }));
}

}  // namespace
}  // namespace infra
