// What is done at which pressure, that it does not flutter, and what clients, scrapes and the log are told of it.
#include "telemetry/overload.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "telemetry/log.h"

namespace infra {
namespace {

using std::chrono::milliseconds;

class OverloadTest : public ::testing::Test {
 protected:
  SteadyTime now_{std::chrono::hours(1)};
  Overload overload_{[this] { return now_; }};
  std::vector<std::string> told_;
  log::Listener listener_{[this](log::Level, std::string_view message, log::Fields) { told_.emplace_back(message); }};
};

TEST_F(OverloadTest, EachRuleBeginsAtItsPressureAndEndsBelowItsOther) {
  for (const OverloadRule& rule : kOverloadRules) {
    EXPECT_LT(rule.ends, rule.begins);
    Overload overload([this] { return now_; });
    overload.report(rule.resource, rule.begins - 0.001);
    EXPECT_FALSE(overload.active(rule.action)) << to_string(rule.resource) << " " << to_string(rule.action);
    overload.report(rule.resource, rule.begins);
    EXPECT_TRUE(overload.active(rule.action));
    EXPECT_TRUE(overload.is_cause(rule.resource, rule.action));
    overload.report(rule.resource, rule.ends);
    EXPECT_TRUE(overload.active(rule.action)) << "between the two it stays as it is";
    overload.report(rule.resource, rule.ends - 0.001);
    EXPECT_FALSE(overload.active(rule.action));
    overload.report(rule.resource, rule.ends);
    EXPECT_FALSE(overload.active(rule.action)) << "between the two it stays as it is";
  }
}

TEST_F(OverloadTest, ADiskStopsOutputsThenUploadsThenAsyncAndNothingElse) {
  std::vector<Action> order;
  std::set<Action> seen;
  for (int percent = 0; percent <= 100; ++percent) {
    overload_.report(Resource::disk, percent / 100.0);
    for (std::size_t i = 0; i < kActions; ++i) {
      const auto action = static_cast<Action>(i);
      if (overload_.active(action) && seen.insert(action).second) order.push_back(action);
    }
  }
  EXPECT_EQ(order, (std::vector{Action::stop_outputs, Action::stop_uploads, Action::shed_async}));
}

TEST_F(OverloadTest, AnActionGoesOnWhileOneOfItsCausesDoes) {
  overload_.report(Resource::disk, 1);
  overload_.report(Resource::descriptors, 1);
  overload_.report(Resource::disk, 0);
  EXPECT_TRUE(overload_.active(Action::stop_uploads));
  EXPECT_FALSE(overload_.active(Action::shed_async));
  overload_.report(Resource::descriptors, 0);
  EXPECT_FALSE(overload_.active(Action::stop_uploads));
}

TEST_F(OverloadTest, ARefusalNamesWhatIsShort) {
  EXPECT_TRUE(overload_.admit(Action::stop_uploads));
  overload_.report(Resource::descriptors, 1);
  const auto overloaded = overload_.admit(Action::stop_uploads);
  ASSERT_FALSE(overloaded);
  EXPECT_EQ(overloaded.error().code, "overloaded");
  EXPECT_EQ(overloaded.error().kind, ErrorKind::unavailable);
  EXPECT_NE(overloaded.error().message.find("descriptors"), std::string::npos);
  EXPECT_GT(overloaded.error().retry_after.count(), 0);
  overload_.report(Resource::disk, 1);
  EXPECT_EQ(overload_.admit(Action::stop_uploads).error().code, "storage_full");
}

TEST_F(OverloadTest, AnActionThatFluttersIsToldOnceASecondAndItsLastStateAtLast) {
  for (int i = 0; i < 1000; ++i) {
    overload_.report(Resource::disk, i % 2 == 0 ? 0.6 : 0);
    now_ += milliseconds(1);
  }
  EXPECT_EQ(told_, (std::vector<std::string>{"overload: an action begins"}));
  overload_.report(Resource::disk, 0);  // the end is an info line, which a listener does not hear
  now_ += milliseconds(1001);
  overload_.report(Resource::disk, 0.6);
  EXPECT_EQ(told_.size(), 2U);
}

TEST_F(OverloadTest, OfManyReportsAtOnceTheLastOneDecides) {
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([this, n] {
      for (int i = 0; i < 20'000; ++i) overload_.report(Resource::connections, (i + n) % 2);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(overload_.active(Action::close_slow), overload_.pressure(Resource::connections) == 1.0);
}

TEST_F(OverloadTest, IsAMetricForEachResourceThatIsCountedAndForEachAction) {
  Metrics metrics;
  overload_.report(Resource::disk, 0.8);
  overload_.show(metrics);
  const std::string text = metrics.render({});
  const auto has = [&](std::string_view line) { return text.find(line) != std::string::npos; };
  EXPECT_TRUE(has("overload_pressure{resource=\"disk\"} 0.8\n")) << text;
  EXPECT_FALSE(has("overload_pressure{resource=\"connections\"}"));
  EXPECT_TRUE(has("overload_action_active{action=\"stop_uploads\"} 1\n"));
  EXPECT_TRUE(has("overload_action_active{action=\"shed_async\"} 0\n"));
}

TEST_F(OverloadTest, PressureIsHeldBetweenNoneAndAll) {
  EXPECT_FALSE(overload_.pressure(Resource::disk));
  overload_.report(Resource::disk, -3);
  EXPECT_EQ(overload_.pressure(Resource::disk), 0);
  overload_.report(Resource::disk, 7);
  EXPECT_EQ(overload_.pressure(Resource::disk), 1);
}

}  // namespace
}  // namespace infra
