#include "cli/event_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace infra::cli {
namespace {

using testing::ElementsAre;

constexpr std::string_view kText =
    "retry: 2000\n\n"
    "id: a.0-1\nevent: run\ndata: {\"phase\":\"accepted\"}\n\n"
    ": beat\n\n"
    "event: gap\r\ndata: {\"lost\":3}\r\n\r\n";

TEST(EventReaderTest, EventsAreReadHoweverTheyAreCut) {
  for (std::size_t size = 1; size <= kText.size(); ++size) {
    std::vector<std::string> read;
    EventReader reader([&](const StreamedEvent& event) { read.push_back(event.kind + " " + event.data); });
    for (std::size_t at = 0; at < kText.size(); at += size) reader.take(kText.substr(at, size));
    ASSERT_THAT(read, ElementsAre("run {\"phase\":\"accepted\"}", "beat ", "gap {\"lost\":3}")) << size;
    EXPECT_EQ(reader.last_id(), "a.0-1");
  }
}

TEST(EventReaderTest, WhatABrokenAnswerHadBegunIsForgotten) {
  std::vector<std::string> read;
  EventReader reader([&](const StreamedEvent& event) { read.push_back(event.kind + " " + event.data); });
  reader.take("id: a.0-2\nevent: log\ndata: {");
  reader.begin_anew();
  reader.take("event: run\ndata: {}\n\n");
  EXPECT_THAT(read, ElementsAre("run {}"));
  EXPECT_EQ(reader.last_id(), "");
}

}  // namespace
}  // namespace infra::cli
