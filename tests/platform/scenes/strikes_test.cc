// What a crash costs: a job that the program dies of ends after three, one beside it does not, and what is killed early
// costs nobody.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "platform/scenes/scene.h"

namespace infra::sim {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t kSeeds = 10;

class StrikesTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  StrikesTest() {
    scene_.functions().add("poison", [](const FunctionCall&) { return FunctionPlan{.takes = seconds(200)}; });
    scene_.functions().add("bystander", [](const FunctionCall&) { return FunctionPlan{.takes = seconds(2)}; });
  }
  void await_in_flight(int count) {
    scene_.await([&] { return scene_.metric(R"(job_queue_depth{state="in_flight"})") == count; },
                 std::to_string(count) + " jobs that are handed out");
  }
  Scene scene_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Seeds, StrikesTest, ::testing::Range(std::uint64_t{0}, kSeeds));

TEST_P(StrikesTest, APoisonPillEndsAfterThreeAndABystanderRuns) {
  const std::string poison = scene_.upload("poison");
  const std::string bystander = scene_.upload("bystander");
  const std::string other = scene_.upload("echo");
  const std::string pill = scene_.begin(poison);
  const std::string beside = scene_.begin(bystander);
  await_in_flight(2);
  scene_.lose_program();
  EXPECT_EQ(scene_.metric("job_strikes_total"), 2);
  for (int i = 0; i < 2; ++i) {
    await_in_flight(1);  // the older one, alone
    EXPECT_EQ(scene_.run_now(other).at("status"), "SUCCESS") << "the others have slots of their own";
    scene_.lose_program();
    EXPECT_EQ(scene_.metric("job_strikes_total"), 1);
  }

  const auto result = scene_.status(pill);
  EXPECT_EQ(result.at("status"), "ERROR");
  EXPECT_EQ(result.at("code"), "worker_lost");
  EXPECT_EQ(scene_.metric("jobs_given_up_total"), 1);
  const auto rows = scene_.log_of(poison);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].at("code"), "worker_lost");
  EXPECT_EQ(scene_.row_of(poison).at("invocations"), 1);
  const auto events = boost::json::parse(scene_.run(scene_.client().get("/logs")).body).as_array();
  EXPECT_TRUE(std::ranges::any_of(events, [&](const auto& event) {
    return event.at("functionId").as_string() == poison &&
           event.at("msg").as_string().find("given up") != std::string_view::npos;
  })) << events;

  EXPECT_EQ(scene_.await_result(beside).at("status"), "SUCCESS");
  scene_.restart();
  EXPECT_EQ(scene_.metric("job_strikes_total"), 0);
  EXPECT_EQ(scene_.metric(R"(job_queue_depth{state="ready"})"), 0);
  scene_.machine().stop_and_wait();
  EXPECT_EQ(scene_.machine().gave_up(), "");
}

TEST_P(StrikesTest, AProgramThatIsKilledEverySecondStrikesNobodyOut) {
  const std::string function = scene_.upload("bystander");
  const std::string job = scene_.begin(function);
  await_in_flight(1);
  scene_.lose_program();
  for (int i = 0; i < 10; ++i) {
    scene_.world().pass(milliseconds(1900));  // of the 2 s after which a suspect is begun
    scene_.lose_program();
    EXPECT_EQ(scene_.metric("job_strikes_total"), 0);
  }
  EXPECT_EQ(scene_.await_result(job).at("status"), "SUCCESS");
}

}  // namespace
}  // namespace infra::sim
