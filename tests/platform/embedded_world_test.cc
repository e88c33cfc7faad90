// The whole platform of one machine in one process: scenarios of minutes and hours, in milliseconds.
#include "platform/embedded_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "telemetry/log.h"

namespace infra::sim {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using End = FunctionPlan::End;

class EmbeddedWorldTest : public ::testing::Test {
 protected:
  EmbeddedWorldTest() {
    log::set_level(log::Level{4});  // above all of them
    world_.functions().add("echo", [](const FunctionCall& call) { return FunctionPlan{.text = call.input}; });
    world_.functions().add(
        "slow", [](const FunctionCall& call) { return FunctionPlan{.takes = seconds(30), .text = call.input}; });
  }
  EmbeddedWorld world_{1};
};

TEST_F(EmbeddedWorldTest, AFunctionIsUploadedAndRun) {
  world_.machine().boot_and_wait();
  const std::string id = world_.upload("echo");
  ASSERT_NE(id, "");
  const Answer answer = world_.run(world_.client().run(id, R"({"n":1})"));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(boost::json::serialize(answer.json().at("result")), R"({"n":1})") << answer.body;
  world_.machine().stop_and_wait();
  EXPECT_EQ(world_.machine().gave_up(), "");
}

TEST_F(EmbeddedWorldTest, AnAcceptedJobIsSettledAndItsResultKeptAcrossARestart) {
  world_.machine().boot_and_wait();
  const std::string id = world_.upload("slow");
  const Answer accepted = world_.run(world_.client().run(id, "[7]", true));
  ASSERT_EQ(accepted.status, 202) << accepted.body;
  const std::string status = "/status/" + accepted.text("jobId");
  EXPECT_EQ(world_.run(world_.client().get(status)).text("status"), "pending");
  world_.world().pass(seconds(60));
  EXPECT_EQ(world_.run(world_.client().get(status)).text("status"), "SUCCESS");
  world_.machine().stop_and_wait();
  world_.machine().boot_and_wait();
  EXPECT_EQ(world_.run(world_.client().get(status)).text("status"), "SUCCESS");
}

TEST_F(EmbeddedWorldTest, AnHourOfIdlenessPassesInLessThanASecond) {
  world_.machine().boot_and_wait();
  const std::string id = world_.upload("echo", {{"keepWarm", "1"}});
  ASSERT_NE(id, "");
  const std::clock_t begun = std::clock();
  world_.world().pass(hours(1));
  EXPECT_LT(std::clock() - begun, CLOCKS_PER_SEC);
  const Answer answer = world_.run(world_.client().run(id, "1"));
  EXPECT_EQ(answer.status, 200) << answer.body;
}

TEST_F(EmbeddedWorldTest, TheSameSeedGoesTheSameWay) {
  const auto course = [](std::uint64_t seed) {
    EmbeddedWorld world(seed);
    world.functions().add("echo", [](const FunctionCall& call) { return FunctionPlan{.text = call.input}; });
    world.machine().boot_and_wait();
    const std::string id = world.upload("echo");
    for (int i = 0; i < 5; ++i) (void)world.run(world.client().run(id, std::to_string(i), i % 2 == 0));
    world.world().pass(seconds(10));
    world.machine().crash();
    world.machine().boot_and_wait();
    world.machine().stop_and_wait();
    return id + " " + std::to_string(world.world().scheduler().fingerprint());
  };
  EXPECT_EQ(course(1), course(1));
  EXPECT_NE(course(1), course(2));
}

TEST_F(EmbeddedWorldTest, ARunGoesOnWhenItsProgramStoodStillForLongerThanItsLease) {
  int starts = 0;
  world_.functions().add("counts", [&](const FunctionCall& call) {
    if (!call.loads) ++starts;
    return FunctionPlan{.takes = seconds(5), .text = call.input};
  });
  world_.machine().boot_and_wait();
  const std::string id = world_.upload("counts");
  const Answer accepted = world_.run(world_.client().run(id, "[7]", true));
  ASSERT_EQ(accepted.status, 202) << accepted.body;
  world_.world().pass(seconds(2));
  ASSERT_EQ(starts, 1);
  world_.machine().process()->frozen_until = world_.world().scheduler().now() + seconds(100);
  world_.world().pass(seconds(200));
  const Answer row = world_.run(world_.client().get("/status/" + accepted.text("jobId")));
  EXPECT_NE(row.text("status"), "pending") << row.body;
  EXPECT_EQ(starts, 1);
}

// Whatever step the program is lost at, what was accepted runs to its end, and is counted once.
TEST_F(EmbeddedWorldTest, AnAcceptedJobSettlesOnceWhereverTheProgramIsLost) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    EmbeddedWorld world(seed);
    int runs = 0;
    world.functions().add("counts", [&](const FunctionCall& call) {
      if (!call.loads) ++runs;
      return FunctionPlan{.takes = milliseconds(20)};
    });
    world.machine().boot_and_wait();
    const std::string id = world.upload("counts");
    const Answer accepted = world.run(world.client().run(id, "{}", true));
    ASSERT_EQ(accepted.status, 202) << accepted.body;
    Dice dice = world.world().dice().apart("the loss");
    for (std::uint64_t left = dice.below(400); left > 0; --left) world.world().scheduler().step();
    world.machine().crash();
    world.machine().boot_and_wait();
    const std::string job = accepted.text("jobId");
    world.world().pass(std::chrono::minutes(1));
    EXPECT_EQ(world.run(world.client().get("/status/" + job)).text("status"), "SUCCESS") << "seed " << seed;
    const Answer rows = world.run(world.client().get("/functions/" + id + "/logs"));
    const auto list = boost::json::parse(rows.body).as_array();
    ASSERT_EQ(list.size(), 1U) << "seed " << seed << ": " << rows.body;
    EXPECT_EQ(list[0].at("requestId").as_string(), job);
    EXPECT_EQ(world.run(world.client().get("/functions/" + id)).json().at("invocations").to_number<int>(), 1);
    EXPECT_GE(runs, 1);
    EXPECT_LE(runs, 2);
  }
}

// At a call of the disk, between which the program does not wait: what was accepted is there, also where the power
// goes.
TEST_F(EmbeddedWorldTest, AnAcceptedJobSettlesOnceAtWhateverCallOfTheDiskTheProgramIsLost) {
  int lost = 0;
  for (std::uint64_t call = 1; call <= 60; ++call) {
    EmbeddedWorld world(call);
    world.functions().add("short", [](const FunctionCall&) { return FunctionPlan{.takes = milliseconds(20)}; });
    world.machine().boot_and_wait();
    const std::string id = world.upload("short");
    const Answer accepted = world.run(world.client().run(id, "{}", true));
    ASSERT_EQ(accepted.status, 202) << accepted.body;
    world.machine().stand_still_at_disk_call(call);
    (void)world.world().scheduler().run_until([&] { return world.machine().stands_still(); }, seconds(5));
    lost += world.machine().stands_still() ? 1 : 0;
    call % 2 == 0 ? world.machine().crash() : world.machine().cut_power();
    world.machine().boot_and_wait();
    world.world().pass(std::chrono::minutes(1));
    const std::string job = accepted.text("jobId");
    EXPECT_EQ(world.run(world.client().get("/status/" + job)).text("status"), "SUCCESS") << "call " << call;
    EXPECT_EQ(world.run(world.client().get("/functions/" + id)).json().at("invocations").to_number<int>(), 1);
  }
  EXPECT_GT(lost, 50);
}

TEST_F(EmbeddedWorldTest, AProgramThatItsDiskRefusesGivesUpAndStartsWhenTheDiskIsWell) {
  world_.machine().boot_and_wait();
  const std::string id = world_.upload("echo");
  world_.machine().stop_and_wait();
  world_.machine().disk().faults().set_chance(DiskCall::read, DiskFault::broken, 1);
  EXPECT_THROW(world_.machine().boot_and_wait(), std::runtime_error);
  EXPECT_THAT(world_.machine().gave_up(), ::testing::HasSubstr("infra.db"));
  world_.machine().disk().faults().clear();
  world_.machine().boot_and_wait();
  EXPECT_EQ(world_.run(world_.client().run(id, "1")).status, 200);
}

TEST_F(EmbeddedWorldTest, WhatARunHoldsComesBack) {
  world_.machine().boot_and_wait();
  const std::string id = world_.upload("slow", {{"maxConcurrency", "1"}, {"memoryMb", "200"}});
  for (int i = 0; i < 2; ++i) ASSERT_EQ(world_.run(world_.client().run(id, "1", true)).status, 202);
  world_.world().pass(seconds(10));
  std::map<std::string, std::uint64_t, std::less<>> held;
  for (const Holding& one : world_.machine().holdings()) held.emplace(one.what, one.held);
  EXPECT_EQ(held.at("slots"), 1U);
  EXPECT_EQ(held.at("runs without a slot"), 1U);
  EXPECT_GT(held.at("bytes of runs without a slot"), 0U);
  EXPECT_EQ(held.at("permits"), 1U);
  EXPECT_EQ(held.at("runs that count for their function's limit"), 2U);
  EXPECT_EQ(held.at("places of instances"), 1U);
  EXPECT_EQ(held.at("MiB of instances"), 200U);
  EXPECT_EQ(held.at("leases"), 2U);
  EXPECT_EQ(held.at("durable jobs"), 2U);
  world_.world().pass(seconds(80));
  for (const Holding& one : world_.machine().holdings()) EXPECT_EQ(one.held, 0U) << one.what;
}

TEST_F(EmbeddedWorldTest, AtTheEndOfAStopNothingIsLeft) {
  world_.machine().boot_and_wait();
  const std::string id = world_.upload("slow", {{"keepWarm", "1"}});
  ASSERT_EQ(world_.run(world_.client().run(id, "1", true)).status, 202);
  world_.world().pass(seconds(1));
  world_.machine().stop_and_wait();
  EXPECT_THAT(world_.machine().leftovers(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace infra::sim
