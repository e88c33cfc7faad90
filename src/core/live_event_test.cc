#include "core/live_event.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace infra {
namespace {

const FunctionId kFunction{"f"};
const RequestId kRequest{"r"};

TEST(LiveEventTest, ARunIsToldOfInThreePhases) {
  EXPECT_EQ(run_accepted(kFunction, kRequest, WallTime{}).data,
            R"({"requestId":"r","functionId":"f","phase":"accepted","at":"1970-01-01T00:00:00.000Z"})");
  EXPECT_EQ(boost::json::parse(run_started(kFunction, kRequest, {"w"}, WallTime{}).data).at("workerId"), "w");
  JobResult result;
  result.request_id = kRequest;
  result.function_id = kFunction;
  result.worker_id = {"w"};
  result.status = RunStatus::success;
  result.duration_ms = 1.5;
  result.cold_start = true;
  result.peak_memory_bytes = 77;
  EXPECT_EQ(run_finished(result, WallTime{}).data,
            R"({"requestId":"r","functionId":"f","phase":"finished","at":"1970-01-01T00:00:00.000Z",)"
            R"("status":"SUCCESS","durationMs":1.5,"coldStart":true,"peakMemoryBytes":77,"workerId":"w"})");
}

TEST(LiveEventTest, ALineIsCutAndHasNoBreaksWhateverIsInIt) {
  const std::string line = "a\nb\r" + std::string(kMaxLiveLine, 'x') + "\xff";
  const LiveEvent event = line_printed(kFunction, kRequest, OutputStream::err, line, WallTime{});
  EXPECT_EQ(event.kind, EventKind::log);
  EXPECT_EQ(event.data.find_first_of("\r\n"), std::string::npos);
  const auto data = boost::json::parse(event.data);
  EXPECT_EQ(data.at("stream"), "stderr");
  EXPECT_EQ(data.at("text").as_string().size(), kMaxLiveLine);
}

TEST(LiveEventTest, WhatOneProgramTellsAnotherReads) {
  const LiveEvent event = line_printed(kFunction, kRequest, OutputStream::out, "hello", WallTime{});
  const auto read = parse_message(to_message(event));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->kind, event.kind);
  EXPECT_EQ(read->function, event.function);
  EXPECT_EQ(read->data, event.data);
  for (const auto* none : {"", "run", "run\nf", "walk\nf\n{}", "run\nf\n", "run\nf\n{\n}", "run\nf\n{}\n\nevent: x"}) {
    EXPECT_FALSE(parse_message(none)) << none;
  }
}

}  // namespace
}  // namespace infra
