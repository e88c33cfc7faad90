// An instance's life: each step from each state, and what a call is told of the state in which it finds one.
#include "worker/instances/instance_state.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace infra::worker {
namespace {

using CallEnd = InstanceState::CallEnd;

const std::map<std::string, std::function<void(InstanceState&)>> kSteps{
    {"call", [](InstanceState& instance) { (void)instance.begin_call(); }},
    {"load", [](InstanceState& instance) { instance.begin_load(); }},
    {"reusable", [](InstanceState& instance) { instance.end_call(CallEnd::reusable); }},
    {"unfit", [](InstanceState& instance) { instance.end_call(CallEnd::unfit); }},
    {"interrupted", [](InstanceState& instance) { instance.end_call(CallEnd::interrupted); }},
    {"trim", [](InstanceState& instance) { instance.trim(); }},
    {"freeze", [](InstanceState& instance) { instance.freeze(); }},
    {"end", [](InstanceState& instance) { instance.end(); }},
};

InstanceState after(const std::vector<std::string>& steps) {
  InstanceState instance;
  for (const auto& step : steps) kSteps.at(step)(instance);
  return instance;
}

struct Row {
  State state;
  std::vector<std::string> way;  // there, from the beginning
  std::map<std::string, State> next;
};

const std::vector<Row> kLife{
    {State::fresh, {}, {{"call", State::calling}, {"load", State::calling}, {"end", State::ended}}},
    {State::calling,
     {"call"},
     {{"reusable", State::idle}, {"unfit", State::unfit}, {"interrupted", State::interrupted}}},
    {State::idle, {"load", "reusable"}, {{"call", State::calling}, {"trim", State::trimming}, {"end", State::ended}}},
    {State::trimming,
     {"call", "reusable", "trim"},
     {{"call", State::calling}, {"freeze", State::frozen}, {"end", State::ended}}},
    {State::frozen, {"call", "reusable", "trim", "freeze"}, {{"call", State::calling}, {"end", State::ended}}},
    {State::unfit, {"load", "unfit"}, {{"end", State::ended}}},
    {State::interrupted, {"call", "interrupted"}, {{"end", State::ended}}},
    {State::ended, {"end"}, {}},
};

TEST(InstanceStateTest, EachStateAllowsItsSteps) {
  for (const auto& [state, way, next] : kLife) {
    EXPECT_EQ(after(way).state(), state) << to_string(state);
    EXPECT_EQ(after(way).can_be_called(), next.contains("call")) << to_string(state);
    for (const auto& [step, expected] : next) {
      InstanceState instance = after(way);
      kSteps.at(step)(instance);
      EXPECT_EQ(instance.state(), expected) << to_string(state) << " " << step;
    }
  }
}

TEST(InstanceStateDeathTest, AnyOtherStepEndsTheProgram) {
  for (const auto& [state, way, next] : kLife) {
    InstanceState instance = after(way);
    for (const auto& [step, take] : kSteps) {
      if (!next.contains(step)) EXPECT_DEATH(take(instance), "") << to_string(state) << " " << step;
    }
  }
}

TEST(InstanceStateTest, ACallIsToldWhatItFinds) {
  const auto found = [](const std::vector<std::string>& way) { return after(way).begin_call(); };
  const auto cold = found({});
  EXPECT_TRUE(cold.cold && cold.first && !cold.frozen);
  const auto loaded = found({"load", "reusable"});
  EXPECT_TRUE(!loaded.cold && loaded.first && !loaded.frozen) << "its program begins with this call, but it is warm";
  const auto kept = found({"load", "reusable", "trim", "freeze"});
  EXPECT_TRUE(!kept.cold && kept.first && kept.frozen);
  const auto warm = found({"call", "reusable", "trim"});
  EXPECT_TRUE(!warm.cold && !warm.first && !warm.frozen);
  const auto frozen = found({"call", "reusable", "trim", "freeze"});
  EXPECT_TRUE(!frozen.cold && !frozen.first && frozen.frozen);
}

TEST(InstanceStateTest, EachStateHasItsName) {
  std::set<std::string_view> names;
  for (const auto& row : kLife) names.insert(to_string(row.state));
  EXPECT_EQ(names.size(), kLife.size());
}

}  // namespace
}  // namespace infra::worker
