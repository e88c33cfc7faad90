// Times are read from clients and from rows that other programs wrote, so both directions are held to ISO 8601.
#include "core/time.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace infra {
namespace {

WallTime at(std::int64_t ms) {
  return WallTime{milliseconds{ms}};
}

TEST(TimeTest, PrintsAsJavaScriptDoes) {
  EXPECT_EQ(to_iso8601(at(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_iso8601(at(1795468142123)), "2026-11-23T21:09:02.123Z");
  EXPECT_EQ(to_iso8601(at(-1)), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_iso8601(at(951782400000)), "2000-02-29T00:00:00.000Z");
}

TEST(TimeTest, BeatsFallTogetherWheneverTheyAreAskedFor) {
  const SteadyTime second{std::chrono::seconds(7)};
  EXPECT_EQ(next_beat(second, milliseconds(500)), second + milliseconds(500));
  EXPECT_EQ(next_beat(second + std::chrono::nanoseconds(1), milliseconds(500)), second + milliseconds(500));
  EXPECT_EQ(next_beat(second + milliseconds(499), milliseconds(1000)), second + milliseconds(1000));
  EXPECT_EQ(next_beat(second + milliseconds(501), milliseconds(1000)), second + milliseconds(1000));
}

TEST(TimeTest, ReadsBackWhateverItPrints) {
  EXPECT_TRUE(rc::check([](std::int64_t seed) {
    constexpr std::int64_t kYear9999 = 253402300799999;
    const WallTime time = at((seed % kYear9999 + kYear9999) % kYear9999);
    RC_ASSERT(parse_iso8601(to_iso8601(time)) == time);
  }));
}

TEST(TimeTest, ReadsTheOtherFormsOfIso8601) {
  const WallTime whole = at(1795468142000);
  EXPECT_EQ(parse_iso8601("2026-11-23"), at(1795392000000));
  EXPECT_EQ(parse_iso8601("2026-11-23T21:09Z"), at(1795468140000));
  EXPECT_EQ(parse_iso8601("2026-11-23T21:09:02"), whole);
  EXPECT_EQ(parse_iso8601("2026-11-23 21:09:02z"), whole);
  EXPECT_EQ(parse_iso8601("2026-11-24T06:09:02+09:00"), whole);
  EXPECT_EQ(parse_iso8601("2026-11-23T16:39:02-0430"), whole);
  EXPECT_EQ(parse_iso8601("2026-11-24 06:09:02+09"), whole);
  EXPECT_EQ(parse_iso8601("2026-11-23t21:09:02.000000+00:00"), whole);
  EXPECT_EQ(parse_iso8601("2026-11-23 21:09:02,500"), whole + milliseconds{500});
  EXPECT_EQ(parse_iso8601("2026-11-23T21:09:02.5Z"), whole + milliseconds{500});
  EXPECT_EQ(parse_iso8601("2026-11-23T21:09:02.123999999999999999999999Z"), whole + milliseconds{123});
  EXPECT_EQ(parse_iso8601("2016-12-31T23:59:60Z"), parse_iso8601("2017-01-01T00:00:00Z"));
}

TEST(TimeTest, RefusesWhatIsNoTime) {
  for (const char* text : {"",
                           "now",
                           "2026",
                           "2026-13-01",
                           "2026-02-29",
                           "2026-11-23T",
                           "2026-11-23T24:00Z",
                           "2026-11-23T21:60Z",
                           "2026-11-23T21:09:61Z",
                           "2026-11-23T21:09:02.Z",
                           "2026-11-23T21:09:02+9",
                           "2026-11-23T21:09:02+09:00x",
                           "2026-11-23T21:09:02+15:00",
                           "2026-11-23T21:09:02+09:",
                           "2026-11-23T21:09:02+",
                           "2026-11-23T21:09:02,Z",
                           "2026-11-23T21:09:02 Z",
                           "2026-11-23Z",
                           " 2026-11-23",
                           "2026-1-2",
                           "0000-01-01T00:00:00+00:01",
                           "9999-12-31T23:59:60Z",
                           "-026-01-02"}) {
    EXPECT_EQ(parse_iso8601(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace infra
