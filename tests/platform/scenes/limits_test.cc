// Whose run is when, as clients see it over minutes: maxConcurrency, a flood of one function, and the window of the
// rate limit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "platform/scenes/scene.h"

namespace infra::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::HasSubstr;
using End = FunctionPlan::End;

constexpr std::uint64_t kSeeds = 5;
constexpr int kMaxWaiting = 4;

class ConcurrencyTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  ConcurrencyTest() {
    at_once_.add("second", seconds(1));
    at_once_.add("fails", milliseconds(10), End::exit);
  }
  std::string limited(int limit, const std::string& code = "second",
                      std::vector<std::pair<std::string, std::string>> settings = {}) {
    settings.emplace_back("maxConcurrency", std::to_string(limit));
    return scene_.upload(code, std::move(settings));
  }
  void run_all(const std::string& function, int count) {
    const auto all = scene_.start_all(function, "null", count);
    scene_.await_all(all);
    for (const auto& one : all) {
      EXPECT_EQ(one->answer.status, 200) << one->answer.body;
      EXPECT_EQ(one->answer.text("status"), "SUCCESS") << one->answer.body;
    }
  }
  double refusals() { return scene_.metric("function_busy_refusals_total"); }

  Scene scene_{GetParam(), {{"INFRA_MAX_WAITING", std::to_string(kMaxWaiting)}}};
  AtOnce at_once_{scene_.functions()};
};
INSTANTIATE_TEST_SUITE_P(Seeds, ConcurrencyTest, ::testing::Range(std::uint64_t{0}, kSeeds));

TEST_P(ConcurrencyTest, NeverMoreAtOnceThanItSays) {
  for (const int limit : {1, 2}) {
    const std::string code = "of-" + std::to_string(limit);
    at_once_.add(code, seconds(1));
    run_all(limited(limit, code), 5);
    EXPECT_EQ(at_once_.most(code), limit);
  }
}

TEST_P(ConcurrencyTest, WithoutALimitRunsOverlap) {
  run_all(scene_.upload("second"), 3);
  EXPECT_EQ(at_once_.most("second"), 3);
}

TEST_P(ConcurrencyTest, OtherFunctionsGoOnMeanwhile) {
  const std::string function = limited(1), other = scene_.upload("echo");
  std::vector<std::string> jobs;
  for (int i = 0; i <= kMaxWaiting; ++i) jobs.push_back(scene_.begin(function));
  scene_.await([&] { return at_once_.running("second") == 1; }, "the first run");
  for (int i = 0; i < 20; ++i) {
    const auto one = scene_.start(scene_.client().run(other, std::to_string(i)));
    scene_.await_all({one});
    EXPECT_EQ(one->answer.json().at("result"), i) << one->answer.body;
    EXPECT_LT(one->took, milliseconds(100)) << "it waited for a run of the other function";
  }
  for (const auto& job : jobs) EXPECT_EQ(scene_.await_result(job).at("status"), "SUCCESS");
  EXPECT_EQ(at_once_.most("second"), 1);
}

TEST_P(ConcurrencyTest, WhatMayNotWaitIsRefusedAndLeavesNothing) {
  const std::string function = limited(1);
  std::vector<std::string> jobs;
  for (int i = 0; i <= kMaxWaiting; ++i) jobs.push_back(scene_.begin(function));
  for (const bool async : {false, true}) {
    const Answer refused = scene_.run(scene_.client().run(function, "null", async));
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.text("code"), "function_busy") << refused.body;
    for (const char* word : {"at most 1 times at once", "maxConcurrency", "4 more"})
      EXPECT_THAT(refused.text("error"), HasSubstr(word));
    EXPECT_EQ(refused.headers.find("Retry-After"), "1");
    EXPECT_EQ(scene_.run(scene_.client().get("/status/" + refused.text("requestId"))).status, 404);
  }
  EXPECT_EQ(refusals(), 2);
  for (const auto& job : jobs) EXPECT_EQ(scene_.await_result(job).at("status"), "SUCCESS");
  EXPECT_EQ(at_once_.most("second"), 1);
  scene_.run_now(function);  // what is done makes room for others
  scene_.await([&] { return scene_.log_of(function).size() == 2 + kMaxWaiting; }, "their rows", seconds(2));
}

TEST_P(ConcurrencyTest, AFailingRunMakesRoomToo) {
  const std::string function = limited(1, "fails");
  for (int i = 0; i < 3 * (1 + kMaxWaiting); ++i) EXPECT_EQ(scene_.run_now(function).at("status"), "FAILED");
  EXPECT_EQ(at_once_.most("fails"), 1);
}

TEST_P(ConcurrencyTest, AChangedLimitHoldsFromTheNextRunOn) {
  const std::string function = limited(1);
  EXPECT_EQ(scene_.change(function, R"({"maxConcurrency":3})").status, 200);
  run_all(function, 6);
  EXPECT_EQ(at_once_.most("second"), 3);
  EXPECT_EQ(scene_.change(function, R"({"maxConcurrency":0})").status, 200);
  run_all(function, 8);
  EXPECT_GT(at_once_.most("second"), 3);
}

TEST_P(ConcurrencyTest, TimeRunsFromTheStartOfTheRun) {
  run_all(limited(1, "second", {{"timeoutMs", "1500"}}), 1 + kMaxWaiting);  // the last waits for longer than it may run
  EXPECT_EQ(at_once_.most("second"), 1);
}

// Of sixteen slots a flood has thirteen at the most.
TEST(Fairness, AFloodOfOneFunctionKeepsNoOtherWaiting) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Scene scene(seed, {}, 16);
    AtOnce at_once(scene.functions());
    at_once.add("long", seconds(8));
    const std::string other = scene.upload("echo"), flood = scene.upload("long");
    EXPECT_EQ(scene.run_now(other).at("status"), "SUCCESS");
    std::vector<std::string> jobs;
    for (int i = 0; i < 80; ++i) jobs.push_back(scene.begin(flood));
    scene.await([&] { return at_once.running("long") >= 5; }, "the flood's runs");
    for (int i = 0; i < 20; ++i) EXPECT_EQ(scene.run_now(other, std::to_string(i)).at("result"), i);
    const WorldTime sent = scene.now();
    EXPECT_EQ(scene.await_result(scene.begin(other)).at("status"), "SUCCESS");
    EXPECT_LT(scene.now() - sent, seconds(1));
    const auto pending =
        std::ranges::count_if(jobs, [&](const auto& job) { return scene.status(job).at("status") == "pending"; });
    EXPECT_GT(pending, 60) << "of the flood only a little is over by now";
    for (const auto& job : jobs) EXPECT_EQ(scene.await_result(job, minutes(5)).at("status"), "SUCCESS");
    EXPECT_LT(at_once.most("long"), 16);
    EXPECT_GE(at_once.most("long"), 5);
  }
}

// Sixteen clients that never tire, over many windows.
TEST(RateLimit, NeverMoreThanTheLimitInAnyWindow) {
  constexpr int kLimit = 20, kClients = 16, kWindows = 10;
  constexpr seconds kWindow{60};
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    Scene scene(
        seed, {{"RATE_LIMIT", std::to_string(kLimit)}, {"RATE_LIMIT_WINDOW_SECONDS", std::to_string(kWindow.count())}});
    struct Answered {
      WorldTime sent{0};
      WorldTime got{0};
      Answer answer;
    };
    std::vector<Answered> answers;
    const WorldTime end = scene.now() + kWindows * kWindow + kWindow / 5;
    int over = 0;
    const auto flood = [&](int number) -> Task<void> {
      Dice dice = scene.world().dice().apart("client", static_cast<std::uint64_t>(number));
      while (scene.now() < end) {
        const WorldTime sent = scene.now();
        Answer answer = co_await scene.client().run("01890000-0000-7000-8000-000000000000", "null");
        answers.push_back({sent, scene.now(), std::move(answer)});
        co_await scene.world().clock().sleep_until(scene.world().clock().steady_now() +
                                                   milliseconds(100 + dice.below(5'000)));
      }
      ++over;
    };
    for (int i = 0; i < kClients; ++i) scene.world().executor().spawn("a client", flood(i));
    scene.world().run_until([&] { return over == kClients; });

    std::vector<Answered> through;
    for (const auto& [sent, got, answer] : answers) {
      const auto header = [&](std::string_view name) { return std::string(answer.headers.find(name).value_or("")); };
      EXPECT_EQ(header("X-RateLimit-Limit"), std::to_string(kLimit));
      EXPECT_EQ(header("RateLimit-Policy"), R"("default";q=20;w=60)");
      EXPECT_THAT(header("RateLimit"), ::testing::MatchesRegex(R"("default";r=[0-9]+;t=[0-9]+)"));
      EXPECT_LE(std::stoi(header("RateLimit").substr(header("RateLimit").rfind('=') + 1)), kWindow.count());
      const int remaining = std::stoi(header("X-RateLimit-Remaining"));
      if (answer.status == 404) {
        EXPECT_TRUE(0 <= remaining && remaining < kLimit) << remaining;
        through.push_back({sent, got, answer});
        continue;
      }
      EXPECT_EQ(answer.status, 429) << answer.body;
      EXPECT_EQ(answer.text("code"), "rate_limited");
      EXPECT_EQ(remaining, 0);
      const int again = std::stoi(header("Retry-After"));
      EXPECT_TRUE(1 <= again && again <= kWindow.count()) << again;
    }
    // A request was counted at some moment between its sending and its answer.
    for (const auto& first : through) {
      const auto inside = std::ranges::count_if(
          through, [&](const Answered& one) { return one.sent >= first.sent && one.got < first.sent + kWindow; });
      EXPECT_LE(inside, kLimit) << "seed " << seed;
    }
    EXPECT_GE(through.size(), kWindows * kLimit) << "the whole budget is given";
    EXPECT_LE(through.size(), (kWindows + 1) * kLimit);
    // Those refused did not count.
    scene.world().pass(kWindow + seconds(1));
    const Answer last = scene.run(scene.client().run("01890000-0000-7000-8000-000000000000", "null"));
    EXPECT_EQ(last.status, 404);
    EXPECT_EQ(last.headers.find("X-RateLimit-Remaining"), std::to_string(kLimit - 1));
  }
}

}  // namespace
}  // namespace infra::sim
