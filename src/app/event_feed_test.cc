// Events go to those who wait for them and to nobody else, at no cost while nobody does; a slow reader loses some, and
// is told.
#include "app/event_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "support/manual_clock.h"

namespace infra::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

LiveEvent event(const std::string& function, const std::string& data, EventKind kind = EventKind::run) {
  return {.kind = kind, .function = {function}, .data = data};
}

class EventFeedTest : public testing::Test {
 protected:
  void tell(const std::string& function, const std::string& data, EventKind kind = EventKind::run) {
    if (feed_.is_wanted()) feed_.tell(event(function, data, kind));
  }
  static std::vector<std::string> texts(const EventBatch& batch) {
    std::vector<std::string> all;
    for (const auto& item : batch.items) all.push_back(item.event->data);
    return all;
  }

  ManualClock clock_;
  EventFeed feed_{clock_, "s", {.events = 4, .bytes = 4096, .linger = std::chrono::seconds(60)}};
};

TEST_F(EventFeedTest, NothingIsWantedUntilSomebodyListens) {
  EXPECT_FALSE(feed_.is_wanted());
  feed_.tell(event("f", "early"));
  const auto listener = feed_.subscribe({}, "");
  EXPECT_TRUE(feed_.is_wanted());
  tell("f", "a");
  EXPECT_THAT(texts(listener->take(1000)), ElementsAre("a"));
  EXPECT_THAT(texts(listener->take(1000)), IsEmpty());
}

TEST_F(EventFeedTest, EachHearsWhatItAskedFor) {
  const auto runs = feed_.subscribe({.runs = true, .logs = false}, "");
  const auto of_g = feed_.subscribe({.functions = {{"g"}}}, "");
  tell("f", "a");
  tell("g", "b", EventKind::log);
  EXPECT_THAT(texts(runs->take(1000)), ElementsAre("a"));
  EXPECT_THAT(texts(of_g->take(1000)), ElementsAre("b"));
}

TEST_F(EventFeedTest, ASlowReaderIsToldHowMuchOfItsOwnItHasLost) {
  const auto slow = feed_.subscribe({.functions = {{"f"}}}, "");
  for (int i = 0; i < 6; ++i) tell(i % 2 == 0 ? "f" : "g", std::to_string(i));
  const auto batch = slow->take(1000);
  EXPECT_TRUE(batch.gap);
  EXPECT_EQ(batch.lost, 1);
  EXPECT_THAT(texts(batch), ElementsAre("2", "4"));
  EXPECT_FALSE(slow->take(1000).gap);
}

TEST_F(EventFeedTest, ItsBytesAreBounded) {
  const auto slow = feed_.subscribe({}, "");
  for (int i = 0; i < 3; ++i) tell("f", std::string(2000, static_cast<char>('0' + i)));
  EXPECT_EQ(slow->take(100'000).lost, 2);
}

TEST_F(EventFeedTest, ABatchHasRoomForSoMuchAndTheRestComesWithTheNext) {
  const auto listener = feed_.subscribe({}, "");
  tell("f", std::string(600, 'a'));
  tell("f", std::string(600, 'b'));
  EXPECT_EQ(listener->take(1000).items.size(), 1);
  EXPECT_EQ(listener->take(1000).items.size(), 1);
  EXPECT_THAT(listener->take(1000).items, IsEmpty());
}

TEST_F(EventFeedTest, WhoComesBackGoesOnWhereItWas) {
  std::string last;
  {
    const auto listener = feed_.subscribe({}, "");
    tell("f", "a");
    tell("f", "b");
    last = listener->take(1000).items.front().id;
  }
  tell("f", "c");
  const auto again = feed_.subscribe({}, last);
  const auto batch = again->take(1000);
  EXPECT_FALSE(batch.gap);
  EXPECT_THAT(texts(batch), ElementsAre("b", "c"));
}

TEST_F(EventFeedTest, WhoComesBackTooLateIsToldOfAGap) {
  std::string last;
  {
    const auto listener = feed_.subscribe({}, "");
    tell("f", "a");
    last = listener->take(1000).items.front().id;
  }
  clock_.advance(std::chrono::seconds(61));
  tell("f", "b");
  EXPECT_FALSE(feed_.is_wanted());
  for (const std::string& id : {last, std::string("x"), std::string("other.0-1"), std::string("s.0-99")}) {
    const auto again = feed_.subscribe({}, id);
    const auto batch = again->take(1000);
    EXPECT_TRUE(batch.gap) << id;
    EXPECT_EQ(batch.lost, std::nullopt);
    EXPECT_THAT(batch.items, IsEmpty());
  }
}

TEST_F(EventFeedTest, WhatDidNotComeHereIsAGapForAll) {
  const auto listener = feed_.subscribe({}, "");
  tell("f", "a");
  const std::string last = listener->take(1000).items.at(0).id;
  feed_.miss();
  tell("f", "b");
  const EventBatch batch = listener->take(1000);
  EXPECT_TRUE(batch.gap);
  EXPECT_FALSE(batch.lost);
  EXPECT_THAT(texts(batch), ElementsAre("b"));
  EXPECT_FALSE(listener->take(1000).gap);
  EXPECT_TRUE(feed_.subscribe({}, last)->take(1000).gap);
}

TEST_F(EventFeedTest, AWaitEndsWithWhatItWaitsForOrWhenItIsWoken) {
  const auto listener = feed_.subscribe({.functions = {{"f"}}}, "");
  boost::asio::io_context loop;
  int waits = 0;
  const auto wait = [&]() -> Task<void> {
    co_await listener->wait_until(SteadyTime::max());
    ++waits;
  };
  boost::asio::co_spawn(loop, wait(), boost::asio::detached);
  loop.poll();
  tell("g", "a");
  loop.poll();
  EXPECT_EQ(waits, 0);
  tell("f", "b");
  loop.run();
  EXPECT_EQ(waits, 1);
  (void)listener->take(1000);
  listener->wake();
  loop.restart();
  boost::asio::co_spawn(loop, wait(), boost::asio::detached);
  loop.run();
  EXPECT_EQ(waits, 2);
}

}  // namespace
}  // namespace infra::app
