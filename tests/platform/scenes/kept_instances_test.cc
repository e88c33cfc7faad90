// keepWarm over minutes: instances with their code loaded wait for calls that nobody has made yet, and stay when others
// go.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "platform/scenes/scene.h"

namespace infra::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using End = FunctionPlan::End;

constexpr std::uint64_t kSeeds = 10;
constexpr seconds kIdle{60};

// A function that counts how often its code was loaded, and ends its process where its input says so.
class KeepWarmTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  KeepWarmTest() {
    for (const char* code : {"kept", "other", "new"}) {
      scene_.functions().add(code, [this](const FunctionCall& call) {
        if (call.loads) ++loaded_[call.code];
        if (call.input == R"("end")") return FunctionPlan{.end = End::exit, .code = 1};
        return FunctionPlan{.text = '"' + call.code + '"'};
      });
    }
  }
  double instances() { return scene_.metric(R"(worker_pool_instances{runtime="python"})"); }
  void await_instances(int count) {
    scene_.await([&] { return instances() == count; }, std::to_string(count) + " idle instances", kIdle / 4);
  }
  bool is_cold(const std::string& function) { return scene_.run_now(function).at("coldStart").as_bool(); }

  Scene scene_{GetParam(), {{"INFRA_IDLE_TIMEOUT_SECONDS", std::to_string(kIdle.count())}}};
  std::map<std::string, int> loaded_;  // ahead of a call, by code
};
INSTANTIATE_TEST_SUITE_P(Seeds, KeepWarmTest, ::testing::Range(std::uint64_t{0}, kSeeds));

TEST_P(KeepWarmTest, TheFirstCallIsNoColdStart) {
  const std::string function = scene_.upload("kept", {{"keepWarm", "1"}});
  await_instances(1);
  EXPECT_EQ(loaded_["kept"], 1) << "before anybody calls";
  EXPECT_FALSE(is_cold(function));
}

TEST_P(KeepWarmTest, KeptInstancesStayWhileOthersGo) {
  const std::string function = scene_.upload("kept", {{"keepWarm", "1"}});
  const std::string other = scene_.upload("other");
  EXPECT_TRUE(is_cold(other));
  await_instances(2);
  scene_.world().pass(kIdle + seconds(2));
  EXPECT_EQ(instances(), 1);
  EXPECT_FALSE(is_cold(function));
  EXPECT_TRUE(is_cold(other));
  scene_.world().pass(minutes(10));
  EXPECT_EQ(instances(), 1);
  EXPECT_FALSE(is_cold(function));
  EXPECT_EQ(loaded_["kept"], 1) << "it is the same one";
  EXPECT_EQ(scene_.machine().sandboxes(), 1) << "no process is left of those that went";
}

TEST_P(KeepWarmTest, OneThatEndsIsStartedAgain) {
  const std::string function = scene_.upload("kept", {{"keepWarm", "2"}});
  await_instances(2);
  EXPECT_EQ(scene_.run_now(function, R"("end")").at("code"), "exited");
  await_instances(2);
  EXPECT_FALSE(is_cold(function));
}

TEST_P(KeepWarmTest, AChangeTakesEffectAtOnce) {
  const std::string function = scene_.upload("kept", {{"keepWarm", "1"}});
  await_instances(1);
  EXPECT_EQ(scene_.run_now(function).at("result"), "kept");
  EXPECT_EQ(scene_.run(scene_.client().update(function, {.name = {}, .code = "new"})).status, 200);
  scene_.await([&] { return loaded_["new"] == 1 && instances() == 1; }, "an instance with the new code", kIdle / 4);
  const auto result = scene_.run_now(function);
  EXPECT_EQ(result.at("result"), "new");
  EXPECT_FALSE(result.at("coldStart").as_bool());
  EXPECT_EQ(scene_.change(function, R"({"keepWarm":0})").status, 200);
  scene_.await([&] { return instances() == 0; }, "its end, as any idle one's", kIdle + seconds(2));
}

TEST_P(KeepWarmTest, TheyAreThereAgainAfterARestart) {
  const std::string function = scene_.upload("kept", {{"keepWarm", "1"}});
  await_instances(1);
  scene_.restart();
  await_instances(1);
  EXPECT_FALSE(is_cold(function));
  scene_.lose_program();
  await_instances(1);
  EXPECT_FALSE(is_cold(function));
}

TEST_P(KeepWarmTest, TheIdleInstancesOfAFunctionThatIsGoneEndAtOnce) {
  for (const char* kept : {"0", "1"}) {
    const std::string function = scene_.upload("kept", {{"keepWarm", kept}});
    await_instances(kept == std::string_view("1") ? 1 : 0);
    scene_.run_now(function);
    await_instances(1);
    EXPECT_EQ(scene_.run(scene_.client().remove(function)).status, 200);
    scene_.await([&] { return instances() == 0 && scene_.machine().sandboxes() == 0; }, "its end", seconds(5));
  }
}

}  // namespace
}  // namespace infra::sim
