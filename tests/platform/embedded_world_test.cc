// The whole platform of one machine in one process: scenarios of minutes and hours, in milliseconds.
#include "platform/embedded_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
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

}  // namespace
}  // namespace infra::sim
