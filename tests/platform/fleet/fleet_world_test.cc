// A whole fleet in one process: what several controllers and workers do together while machines and engines fail.
#include "platform/fleet/fleet_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "telemetry/log.h"

namespace infra::sim {
namespace {

using std::chrono::seconds;

class FleetWorldTest : public ::testing::Test {
 protected:
  FleetWorldTest() {
    log::set_level(log::Level{4});  // above all of them
    world_.add_function("echo", [](const FunctionCall& call) { return FunctionPlan{.text = call.input}; });
  }
  FleetWorld world_{1};
};

TEST_F(FleetWorldTest, AFunctionIsUploadedAndRun) {
  world_.boot_and_wait();
  const std::string id = world_.upload("echo");
  ASSERT_NE(id, "");
  const Answer answer = world_.run(world_.client(1).run(id, R"({"n":1})"));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(boost::json::serialize(answer.json().at("result")), R"({"n":1})") << answer.body;
  world_.stop_and_wait();
  for (const auto& machine : world_.machines()) EXPECT_EQ(machine->gave_up(), "") << machine->name();
}

}  // namespace
}  // namespace infra::sim
