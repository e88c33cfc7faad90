// Whoever may write to Redis writes these: no number is out of what it is read into.
#include "adapters/redis/heartbeat_text.h"

#include <gtest/gtest.h>

namespace infra {
namespace {

constexpr WallTime kNow{milliseconds{1'800'000'000'000}};
constexpr WallTime kServerNow{milliseconds{1'800'000'005'000}};

std::optional<Heartbeat> read(std::string_view text) {
  return read_heartbeat({"w"}, text, kServerNow, kNow);
}

TEST(HeartbeatText, WhatIsWrittenIsRead) {
  Heartbeat beat;
  beat.active_jobs = 3;
  beat.uptime_seconds = 12.5;
  beat.timestamp = "t";
  beat.pools.begin()->second = 2;
  const auto again = read(unreceived_text(beat) + R"(,"receivedAt":1800000004000})");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->worker_id.value, "w");
  EXPECT_EQ(again->pools, beat.pools);
  EXPECT_EQ(again->active_jobs, 3);
  EXPECT_EQ(again->uptime_seconds, 12.5);
  EXPECT_EQ(again->timestamp, "t");
  EXPECT_EQ(again->received_at, kNow - milliseconds{1000});
}

TEST(HeartbeatText, NumbersStayInTheirBounds) {
  const auto late = read(R"({"receivedAt":1e300,"activeJobs":1e300,"uptimeSeconds":1e400,"pools":{"python":-5}})");
  ASSERT_TRUE(late);
  EXPECT_EQ(late->received_at, kNow) << "the server's clock went back";
  EXPECT_EQ(late->active_jobs, 1'000'000);
  EXPECT_EQ(late->uptime_seconds, 9e15);
  EXPECT_EQ(late->pools.at("python"), 0);
  const auto early = read(R"({"receivedAt":-1e300,"activeJobs":0e999})");
  ASSERT_TRUE(early);
  EXPECT_EQ(early->received_at, kNow - kServerNow.time_since_epoch());
  EXPECT_EQ(early->active_jobs, 0);
}

TEST(HeartbeatText, WhatIsNoObjectIsNone) {
  for (const char* text : {"", "x", "[]", "1"}) EXPECT_FALSE(read(text)) << text;
  EXPECT_FALSE(read_reference_heartbeat("null", kNow));
  EXPECT_EQ(read_reference_heartbeat("{}", kNow)->received_at, kNow);
}

}  // namespace
}  // namespace infra
