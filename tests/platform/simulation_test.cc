// Seeds of the simulation: a fixed set, those that found something, and some that nobody has seen before.
#include "platform/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <ctime>
#include <exception>
#include <random>
#include <string>

#include "platform/fiber.h"
#include "platform/fleet/fleet_scenario.h"
#include "platform/last_words.h"
#include "platform/oracle.h"
#include "platform/rate_oracle.h"
#include "platform/shrink.h"

namespace infra::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = Step::Kind;

constexpr std::uint64_t kFixed = 60;
constexpr std::clock_t kFreshSeconds = 8;  // of processor time

void expect_holds(std::uint64_t seed) {
  const Outcome outcome = play(draw_scenario(seed));
  EXPECT_THAT(outcome.complaints, IsEmpty()) << "again: ./dev simulate --seed " << seed;
}

TEST(Simulation, FixedSeedsHold) {
  int runs = 0, losses = 0;
  for (std::uint64_t seed = 1; seed <= kFixed; ++seed) {
    const Outcome outcome = play(draw_scenario(seed));
    EXPECT_THAT(outcome.complaints, IsEmpty()) << "again: ./dev simulate --seed " << seed;
    runs += outcome.runs;
    losses += outcome.losses;
  }
  EXPECT_GT(runs, 400) << "they do something";
  EXPECT_GT(losses, 10);
}

TEST(Simulation, FreshSeedsHold) {
  const std::clock_t end = std::clock() + kFreshSeconds * CLOCKS_PER_SEC;
  std::random_device chance;
  tell_last_words();
  for (std::uint64_t seed = (std::uint64_t{chance()} << 20) + kFixed; std::clock() < end; ++seed) {
    if (!is_fleet(seed)) expect_holds(seed);
  }
}

TEST(Simulation, ASeedReplaysToTheLetter) {
  for (const std::uint64_t seed : {3U, 4U, 5U, 6U}) {
    const Outcome first = play(draw_scenario(seed), true);
    const Outcome second = play(draw_scenario(seed), true);
    EXPECT_EQ(first.trace, second.trace);
    EXPECT_EQ(first.fingerprint, second.fingerprint);
  }
}

TEST(LastWordsDeathTest, WhatDiesSaysItsSeed) {
  const auto die_of = [](int signal) {
    tell_last_words();
    note_seed(4'711);
    (void)::raise(signal);
  };
  for (const int signal : {SIGABRT, SIGSEGV, SIGILL})
    EXPECT_EXIT(die_of(signal), ::testing::KilledBySignal(signal), "again: ./dev simulate --seed 4711");
  EXPECT_EXIT(
      {
        tell_last_words();
        note_seed(4'712);
        Fiber fiber([] { std::terminate(); });
        fiber.resume();
      },
      ::testing::KilledBySignal(SIGABRT), "again: ./dev simulate --seed 4712");
}

TEST(Shrink, DropsWhatTheFailureDoesNotNeed) {
  Scenario scenario = draw_scenario(1);
  scenario.faults = {Fault::crash, Fault::freeze, Fault::drift};
  scenario.steps.push_back({.kind = Kind::crash, .number = 100});
  const auto judge = [](const Scenario& one) {
    bool runs = false;
    for (const Step& step : one.steps) {
      runs = runs || step.kind == Kind::run_sync;
      if (step.kind == Kind::crash && runs && one.has(Fault::freeze)) return Kinds{"a crash after a run"};
    }
    return one.steps.size() > 3 ? Kinds{"another story"} : Kinds{};
  };
  ASSERT_TRUE(judge(scenario).contains("a crash after a run"));
  const Scenario small = shrink(scenario, judge);
  EXPECT_EQ(small.steps.size(), 2U) << to_text(small);
  EXPECT_EQ(small.faults, std::vector{Fault::freeze});
}

class OracleTest : public ::testing::Test {
 protected:
  OracleTest() {
    oracle_.functions[oracle_.add_function()].versions.push_back(
        {.code = "v1", .max_concurrency = 1, .answered = scheduler_.now(), .accepted = true});
  }
  void send(int number, Kind kind = Kind::run_async) { oracle_.add_job({.kind = kind, .number = number}, 0); }
  void accept(int number) {
    oracle_.answered(number, {.status = 202, .body = R"({"jobId":"r)" + std::to_string(number) + R"("})"});
  }
  static FunctionCall call(int number, std::string code = "v1") {
    return {.request = "r" + std::to_string(number), .code = std::move(code)};
  }
  void expect_complaint(const std::string& what) {
    ASSERT_EQ(oracle_.complaints().size(), 1U) << ::testing::PrintToString(oracle_.complaints());
    EXPECT_THAT(oracle_.complaints().front(), HasSubstr(what));
  }

  Scheduler scheduler_{1};
  Oracle oracle_{scheduler_};
};

TEST_F(OracleTest, AGoodRunIsNoStory) {
  send(1);
  accept(1);
  oracle_.begins(call(1), 1);
  oracle_.ends(call(1), 1);
  oracle_.heard(1, "SUCCESS");
  oracle_.check_jobs({});
  oracle_.check_rows(0, boost::json::parse(R"([{"requestId":"r1"}])").as_array(), 1, {});
  EXPECT_THAT(oracle_.complaints(), IsEmpty());
}

TEST_F(OracleTest, ARunThatRunsTwiceAtOnce) {
  oracle_.functions[0].versions[0].max_concurrency = 0;
  send(1);
  oracle_.begins(call(1), 1);
  oracle_.begins(call(1), 1);
  expect_complaint("begins while it runs");
}

TEST_F(OracleTest, ARunThatBeginsAfterItsResult) {
  send(1);
  accept(1);
  oracle_.heard(1, "SUCCESS");
  oracle_.begins(call(1), 1);
  expect_complaint("begins after it had its result");
}

TEST_F(OracleTest, ARunThatBeginsTooOften) {
  send(1);
  for (int i = 0; i < 4; ++i) {
    oracle_.begins(call(1), 1);
    oracle_.ends(call(1), 1);
  }
  expect_complaint("begins for the 4th time");
}

TEST_F(OracleTest, MoreRunsAtOnceThanThereMayBe) {
  send(1);
  send(2);
  oracle_.begins(call(1), 1);
  oracle_.begins(call(2), 2);
  expect_complaint("2 runs of f0 at once; 1 are allowed");
}

TEST_F(OracleTest, CodeThatWasReplaced) {
  oracle_.functions[0].versions.push_back(
      {.code = "v2", .sent = WorldTime(1), .answered = WorldTime(2), .accepted = true});
  scheduler_.idle_until(WorldTime(3));
  send(1);
  oracle_.begins(call(1), 1);
  expect_complaint("had been replaced");
  EXPECT_EQ(oracle_.possible_codes(0), std::set<std::string>{"v2"});
}

TEST_F(OracleTest, RowsAndCounts) {
  send(1);
  accept(1);
  oracle_.check_rows(0, boost::json::array(), 0, {});
  expect_complaint("was accepted, and has no row");
  oracle_.check_rows(0, boost::json::parse(R"([{"requestId":"r1"},{"requestId":"r1"}])").as_array(), 2, {});
  EXPECT_THAT(oracle_.complaints().back(), HasSubstr("r1 has 2 rows"));
  oracle_.check_rows(0, boost::json::parse(R"([{"requestId":"r1"}])").as_array(), 2, {});
  EXPECT_THAT(oracle_.complaints().back(), HasSubstr("counts 2 invocations"));
}

TEST_F(OracleTest, ARunThatBeginsThoughTheDiskHasItsRow) {
  send(1);
  oracle_.program_lost({"r1"});
  oracle_.begins(call(1), 1);
  expect_complaint("begins though the disk has its row");
}

TEST_F(OracleTest, ARunThatWaitsForNothing) {
  Oracle oracle(scheduler_, {.longest_idle = std::chrono::seconds(10)});
  oracle.functions = oracle_.functions;
  oracle.add_job({.number = 1}, 0);
  oracle.add_job({.number = 2}, 0);
  oracle.begins(call(1), 1);
  scheduler_.idle_until(scheduler_.now() + std::chrono::minutes(1));
  oracle.ends(call(1), 1);
  scheduler_.idle_until(scheduler_.now() + std::chrono::seconds(11));
  oracle.begins(call(2), 2);
  ASSERT_EQ(oracle.complaints().size(), 1U);
  EXPECT_THAT(oracle.complaints().front(), HasSubstr("run #2 waited while nothing ran, 11000 ms"));
}

TEST_F(OracleTest, AClientThatWaitsOnAfterItsRun) {
  send(1, Kind::run_sync);
  oracle_.begins(call(1), 1);
  oracle_.ends(call(1), 1);
  scheduler_.idle_until(std::chrono::minutes(4));
  oracle_.answered(1, {.status = 504, .body = R"({"requestId":"r1"})"});
  oracle_.check_jobs({});
  expect_complaint("its client waited on");
}

TEST_F(OracleTest, AnAcceptedRunWithoutAResult) {
  send(1);
  accept(1);
  oracle_.check_jobs({});
  expect_complaint("was accepted, and has no result");
}

// Every two seconds a run of another function begins and ends, and one of this waits.
TEST_F(OracleTest, ARunThatWaitsWhileOthersHaveItsShare) {
  Oracle oracle(scheduler_, {.longest_start = milliseconds(1), .slots = 2});
  oracle.functions = {oracle_.functions.front(), oracle_.functions.front()};
  for (auto& function : oracle.functions) function.versions.front().max_concurrency = 0;
  oracle.add_job({.kind = Kind::run_async, .number = 1}, 0);
  for (int number = 2; number < 12; ++number) {
    oracle.add_job({.kind = Kind::run_async, .number = number}, 1);
    oracle.begins(call(number), number);
    scheduler_.idle_until(scheduler_.now() + std::chrono::seconds(2));
    oracle.ends(call(number), number);
  }
  EXPECT_THAT(oracle.complaints(), IsEmpty());
  oracle.begins(call(1), 1);
  ASSERT_EQ(oracle.complaints().size(), 1U);
  EXPECT_THAT(oracle.complaints().front(),
              HasSubstr("run #1 waited while runs of f1 that began later had 20000 ms; 4752 are its share"));
}

TEST_F(OracleTest, ARunThatWaitsWhileThereAreSlots) {
  Oracle oracle(scheduler_, {.longest_idle = std::chrono::seconds(10), .longest_start = milliseconds(1), .slots = 8});
  oracle.functions = oracle_.functions;
  oracle.functions.front().versions.front().max_concurrency = 0;
  for (const int number : {1, 2}) oracle.add_job({.number = number}, 0);
  oracle.begins(call(1), 1);
  scheduler_.idle_until(scheduler_.now() + std::chrono::seconds(11));
  oracle.begins(call(2), 2);
  ASSERT_EQ(oracle.complaints().size(), 1U);
  EXPECT_THAT(oracle.complaints().front(), HasSubstr("run #2 waited while slots were free, 11000 ms"));
}

class RateOracleTest : public ::testing::Test {
 protected:
  void answer(int status, std::chrono::milliseconds at, int program = 1, const std::string& address = "a") {
    Answer answer{.status = status,
                  .body = status == 429 ? R"({"code":"rate_limited"})" : "{}",
                  .arrival = Arrival{.program = program, .at = SteadyTime(at), .order = ++order_}};
    answer.headers.set("X-RateLimit-Limit", "2");
    oracle_.note(static_cast<int>(order_), address, answer);
  }
  RateOracle oracle_{2, std::chrono::seconds(10)};
  std::uint64_t order_ = 0;
};

TEST_F(RateOracleTest, WhatIsAsDefined) {
  answer(200, milliseconds(0));
  answer(200, milliseconds(1'000));
  answer(429, milliseconds(10'000));
  answer(200, milliseconds(10'000), 1, "b");
  answer(200, milliseconds(10'001));
  answer(429, milliseconds(11'000));
  answer(200, milliseconds(11'000), 2);  // the next program's window
  EXPECT_THAT(oracle_.complaints(), IsEmpty());
}

TEST_F(RateOracleTest, OneTooMany) {
  for (const int at : {0, 5'000, 10'000}) answer(200, milliseconds(at));
  ASSERT_EQ(oracle_.complaints().size(), 1U);
  EXPECT_THAT(oracle_.complaints().front(), HasSubstr("request #3 of a was let through, and 2 had been"));
}

TEST_F(RateOracleTest, OneRefusedThoughThereIsRoom) {
  answer(200, milliseconds(0));
  answer(429, milliseconds(1));
  ASSERT_EQ(oracle_.complaints().size(), 1U);
  EXPECT_THAT(oracle_.complaints().front(), HasSubstr("request #2 of a was refused, and 1 of 2 had been"));
}

// Of a lost answer the window says whether it counted.
TEST_F(RateOracleTest, AnAnswerThatWasLost) {
  answer(200, milliseconds(0));
  answer(0, milliseconds(1));
  answer(429, milliseconds(2));
  EXPECT_THAT(oracle_.complaints(), IsEmpty());
}

}  // namespace
}  // namespace infra::sim
