// What a collector is sent, and what becomes of spans that it does not take.
#include "main/span_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <future>
#include <string>

#include "adapters/system/system_clock.h"
#include "adapters/system/system_executor.h"
#include "adapters/system/system_random.h"
#include "core/job.h"
#include "main/run_spans.h"
#include "main/system_network.h"
#include "net/http/beast_http_server.h"
#include "net/loops/event_loops.h"
#include "support/temp_folder.h"

namespace infra {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SpanExportTest : public ::testing::Test {
 protected:
  SpanExportTest()
      : collector_(
            loops_, {}, [this](net::Request& request) { return answer(request); },
            [](const Error&) { return net::Response{.status = 500, .headers = {}, .body = {}}; }) {
    EXPECT_TRUE(collector_.start());
    Config config;
    config.otlp_endpoint = "http://127.0.0.1:" + std::to_string(collector_.port()) + "/";
    program_.emplace(std::move(config), DataFolder::open(folder_.path()).value(), network_, executor_, clock_, random_);
  }
  ~SpanExportTest() override {
    collector_.close();
    loops_.stop();
  }

  void add_span() {
    program_->spans.add({.trace = context_.trace, .id = context_.span, .name = "http", .end = clock_.now()});
  }
  void finish() { loops_.run_blocking(exporter_->finish()); }
  std::string metrics() { return program_->metrics.render({}); }

  const TraceContext context_ = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").value();
  std::atomic<int> status_ = 200;
  std::promise<boost::json::value> sent_;
  std::atomic<bool> has_sent_ = false;
  net::EventLoops loops_{2, 1};
  net::BeastHttpServer collector_;
  testing::TempFolder folder_;
  SystemNetwork network_{loops_};
  SystemExecutor executor_{loops_};
  SystemClock clock_;
  SystemRandom random_;
  std::optional<Program> program_;
  std::optional<SpanExport> exporter_;

 private:
  Task<net::Response> answer(net::Request& request) {
    const auto body = co_await net::read_all(*request.body, std::size_t{1} << 20);
    EXPECT_EQ(request.path, "/v1/traces");
    EXPECT_EQ(request.headers.find("content-type"), "application/json");
    if (!has_sent_.exchange(true)) sent_.set_value(boost::json::parse(body.value()));
    co_return net::Response{.status = status_, .headers = {}, .body = "{}"};
  }
};

TEST_F(SpanExportTest, WhatWaitsLeavesByItself) {
  add_span();
  exporter_.emplace(*program_);
  exporter_->start();
  const auto body = sent_.get_future().get();
  EXPECT_EQ(body.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").at(0).at("traceId"),
            "0af7651916cd43dd8448eb211c80319c");
  finish();
  EXPECT_THAT(metrics(), HasSubstr("\nspans_exported_total 1\n"));
}

TEST_F(SpanExportTest, WhatWaitsAtTheEndLeavesInBatches) {
  for (std::size_t i = 0; i <= Spans::kBatch; ++i) add_span();
  exporter_.emplace(*program_);
  finish();
  EXPECT_THAT(metrics(), HasSubstr("\nspans_exported_total 513\n"));
  EXPECT_THAT(metrics(), HasSubstr("\nspans_dropped_total 0\n"));
}

TEST_F(SpanExportTest, WhatACollectorRefusesIsDroppedAndCounted) {
  status_ = 400;
  add_span();
  exporter_.emplace(*program_);
  finish();
  EXPECT_THAT(metrics(), HasSubstr("\nspans_dropped_total 1\n"));
  EXPECT_THAT(metrics(), HasSubstr("\nspans_exported_total 0\n"));
}

TEST_F(SpanExportTest, WhatItMayTakeLaterIsNotDroppedAtOnce) {
  status_ = 503;
  add_span();
  exporter_.emplace(*program_);
  finish();
  EXPECT_THAT(metrics(), HasSubstr("\nspans_dropped_total 0\n"));
}

TEST_F(SpanExportTest, ARunHasTheSpansOfItsParts) {
  Job job;
  job.request_id = {"r"};
  job.function_id = {"f"};
  job.traceparent = to_traceparent(context_);
  job.accepted_at = WallTime{milliseconds{10'000}};
  JobResult result;
  result.status = RunStatus::success;
  result.duration_ms = 300;
  result.handler_ms = 100;
  result.cold_start = true;
  const worker::RunTimes times{.settled = WallTime{milliseconds{11'000}}, .settlement = milliseconds{50}};
  tell_of_run(program_->spans, program_->ids, result, job, times);
  const auto spans = program_->spans.take();
  std::vector<std::pair<std::string_view, std::int64_t>> parts;
  for (const auto& span : spans) {
    parts.emplace_back(span.name, std::chrono::duration_cast<milliseconds>(span.took).count());
    EXPECT_EQ(span.trace, context_.trace);
    EXPECT_EQ(span.parent, context_.span);
    EXPECT_FALSE(span.failed);
  }
  EXPECT_THAT(parts, ElementsAre(std::pair("queue", 650), std::pair("cold start", 200), std::pair("handler", 100),
                                 std::pair("settle", 50)));
  job.traceparent = to_traceparent({.trace = context_.trace, .span = context_.span, .flags = 0});
  tell_of_run(program_->spans, program_->ids, result, job, times);
  EXPECT_TRUE(program_->spans.take().empty()) << "its caller does not record";
}

}  // namespace
}  // namespace infra
