#include "worker/runner/shown_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "support/manual_clock.h"

namespace infra::worker {
namespace {

using testing::ElementsAre;

class Listener final : public LiveEvents {
 public:
  Listener() { want(true); }
  void leave() { want(false); }
  void tell(LiveEvent event) override {
    const auto data = boost::json::parse(event.data);
    lines.push_back(std::string(data.at("stream").as_string()) + ": " + std::string(data.at("text").as_string()));
  }
  std::vector<std::string> lines;
};

class ShownOutputTest : public testing::Test {
 protected:
  ManualClock clock_;
  Listener listener_;
  ShownOutput shown_{listener_, clock_, {"f"}, {"r"}};
};

TEST_F(ShownOutputTest, LinesAreToldWhenTheyAreWholeAndTheLastAtTheEnd) {
  shown_.out.append("a\n\nb");
  shown_.err.append("x");
  EXPECT_THAT(listener_.lines, ElementsAre("stdout: a", "stdout: "));
  shown_.out.append("c\nd");
  shown_.out.flush();
  shown_.err.flush();
  shown_.err.flush();
  EXPECT_THAT(listener_.lines, ElementsAre("stdout: a", "stdout: ", "stdout: bc", "stdout: d", "stderr: x"));
}

TEST_F(ShownOutputTest, OfALongLineTheBeginningIsKept) {
  for (int i = 0; i < 3; ++i) shown_.out.append(std::string(kMaxLiveLine, 'x'));
  shown_.out.append("\nnext\n");
  EXPECT_THAT(listener_.lines, ElementsAre("stdout: " + std::string(kMaxLiveLine, 'x'), "stdout: next"));
}

TEST_F(ShownOutputTest, NothingIsToldOnceNobodyListens) {
  listener_.leave();
  shown_.out.append("a\n");
  EXPECT_THAT(listener_.lines, ElementsAre());
}

}  // namespace
}  // namespace infra::worker
