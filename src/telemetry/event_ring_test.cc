// What the dashboard looks for is there, once, and neither long texts nor repetitions push out the rest.
#include "telemetry/event_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

namespace infra {
namespace {

JobResult result_of(const std::string& request, RunStatus status = RunStatus::success) {
  JobResult result;
  result.request_id = {request};
  result.function_id = {"f"};
  result.status = status;
  result.exit_code = 3;
  result.duration_ms = 12.5;
  result.handler_ms = 2.5;
  result.peak_memory_bytes = 9'600'000;
  return result;
}

class EventRingTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> messages() const {
    std::vector<std::string> found;
    for (const auto& event : ring_.newest_first()) found.push_back(event.message);
    return found;
  }

  WallTime now_{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}};
  EventRing ring_{UuidRandom{std::byte{7}}, [this] { return now_; }};
};

TEST_F(EventRingTest, TellsOfARunWithItsFigures) {
  ring_.run_requested({"f"}, {"r"});
  ring_.run_finished(result_of("r"));
  ring_.run_finished(result_of("s", RunStatus::timeout));
  const auto events = ring_.newest_first();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].level, log::Level::error);
  EXPECT_EQ(events[0].run->status, RunStatus::timeout);
  const Event& done = events[1];
  EXPECT_EQ(done.message, "Function Executed: f");
  EXPECT_EQ(done.level, log::Level::info);
  EXPECT_EQ(done.function, "f");
  EXPECT_EQ(done.request, "r");
  EXPECT_EQ(done.run->exit_code, 3);
  EXPECT_EQ(done.run->duration_ms, 12.5);
  EXPECT_EQ(done.run->handler_ms, 2.5);
  EXPECT_EQ(done.run->memory_mb, 9);
  EXPECT_EQ(events[2].message, "Run Request");
  EXPECT_EQ(events[2].request, "r");
  EXPECT_FALSE(events[2].run);
}

TEST_F(EventRingTest, ARunIsToldOnceHoweverOftenItIsSettled) {
  ring_.run_finished(result_of("r"));
  ring_.run_finished(result_of("s"));
  ring_.run_finished(result_of("r"));
  EXPECT_EQ(messages().size(), 2U);
}

// The dashboard asks whether a message contains the words, and the first that fit decide.
TEST_F(EventRingTest, EachKindHasItsOwnWords) {
  ring_.run_requested({"f"}, {"r"});
  ring_.run_finished(result_of("r"));
  ring_.uploaded({"f"});
  ring_.updated({"f"});
  ring_.deleted({"f"});
  ring_.wait_ended({"f"}, {"r"});
  ring_.refused("POST /run", 404, "function_not_found", {"f"}, {"r"});
  ring_.refused("POST /run", 503, "queue_full", {"f"}, {"r"});
  ring_.warned(log::Level::warn, "receiving jobs failed", {{"code", "aws_throttled"}});
  constexpr std::array<std::string_view, 6> kWords = {"Timeout",        "Function Deleted",  "Function Updated",
                                                      "Upload Success", "Function Executed", "Run Request"};
  const auto said = messages();
  ASSERT_EQ(said.size(), 9U);
  for (std::size_t i = 0; i < said.size(); ++i) {
    for (std::size_t word = 0; word < kWords.size(); ++word) {
      EXPECT_EQ(said[i].contains(kWords[word]), i == word + 3) << said[i];
    }
  }
  EXPECT_EQ(said[0], "receiving jobs failed: aws_throttled");
  EXPECT_EQ(said[1], "Request Failed: POST /run: 503 queue_full");
  EXPECT_EQ(said[2], "Request Refused: POST /run: 404 function_not_found");
  EXPECT_EQ(ring_.newest_first()[1].level, log::Level::error);
  EXPECT_EQ(ring_.newest_first()[2].level, log::Level::warn);
}

TEST_F(EventRingTest, WhatRepeatsDoesNotPushOutTheRest) {
  ring_.uploaded({"f"});
  for (int i = 0; i < 500; ++i) {
    ring_.refused("POST /run", 429, "rate_limited", {"f"}, {std::to_string(i)});
    ring_.warned(log::Level::error, "Redis is away", {});
  }
  ring_.refused("POST /run", 429, "rate_limited", {"g"}, {"r"});
  EXPECT_EQ(messages(), (std::vector<std::string>{"Request Refused: POST /run: 429 rate_limited", "Redis is away",
                                                  "Request Refused: POST /run: 429 rate_limited", "Upload Success"}));
  now_ += std::chrono::minutes(1);
  ring_.warned(log::Level::error, "Redis is away", {});
  EXPECT_EQ(messages().size(), 5U) << "after a minute it is news";
}

TEST_F(EventRingTest, HoldsTheLastHundredUnderIdsThatStay) {
  for (int i = 0; i < 250; ++i) ring_.run_requested({"f"}, {std::to_string(i)});
  const auto events = ring_.newest_first();
  ASSERT_EQ(events.size(), EventRing::kKept);
  EXPECT_EQ(events.front().request, "249");
  EXPECT_EQ(events.back().request, "150");
  std::set<std::string> ids;
  for (const auto& event : events) {
    const std::string id = ring_.id_of(event);
    EXPECT_EQ(uuid_version(id), 7) << id;
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), EventRing::kKept);
  EXPECT_TRUE(ids.contains(ring_.id_of(ring_.newest_first()[5])));
}

TEST_F(EventRingTest, LongTextsAreCut) {
  ring_.warned(log::Level::warn, std::string(5000, 'x'), {{"functionId", std::string(5000, 'f')}});
  JobResult result = result_of(std::string(5000, 'r'));
  result.function_id = {std::string(5000, 'f')};
  ring_.run_finished(result);
  for (const auto& event : ring_.newest_first()) {
    EXPECT_LE(event.message.size(), 203U);
    EXPECT_LE(event.function.size(), 128U);
    EXPECT_LE(event.request.size(), 128U);
  }
  EXPECT_EQ(messages()[1], std::string(200, 'x') + "...");
}

}  // namespace
}  // namespace infra
