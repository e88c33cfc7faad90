// What a collector reads, and the bound on what waits for one.
#include "telemetry/spans.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace infra {
namespace {

Span make_span(std::string_view name) {
  const auto context = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").value();
  return {.trace = context.trace, .id = context.span, .name = name, .end = WallTime{milliseconds{1'790'000'000'000}}};
}

TEST(Spans, OnlyAnExporterHasThemKept) {
  Spans off(false);
  off.add(make_span("http"));
  EXPECT_TRUE(off.take().empty());
  EXPECT_EQ(off.dropped(), 0U);
  TraceContext context;
  EXPECT_FALSE(Spans(true).wanted(context)) << "who called does not record";
  context.flags = TraceContext::kSampled;
  EXPECT_TRUE(Spans(true).wanted(context));
  EXPECT_FALSE(off.wanted(context));
}

TEST(Spans, LeaveInBatchesAndAreBounded) {
  Spans spans(true);
  for (std::size_t i = 0; i < Spans::kMost + 3; ++i) spans.add(make_span("http"));
  EXPECT_EQ(spans.dropped(), 3U);
  std::size_t taken = 0;
  for (auto batch = spans.take(); !batch.empty(); batch = spans.take()) {
    EXPECT_EQ(batch.size(), Spans::kBatch);
    taken += batch.size();
  }
  EXPECT_EQ(taken, Spans::kMost);
}

TEST(Spans, AreOtlpInJson) {
  Span span = make_span("handler");
  span.kind = Span::Kind::server;
  span.before = std::chrono::microseconds{250};
  span.took = std::chrono::microseconds{1500};
  span.failed = true;
  span.attributes = {{"infra.function_id", "f\"\xff"}, {"http.response.status_code", std::int64_t{500}}};
  Span child = make_span("settle");
  child.parent = span.id;
  const auto body = boost::json::parse(otlp_json({span, child}, "infra", "host:1"));
  const auto& resource = body.at("resourceSpans").at(0);
  EXPECT_EQ(resource.at("resource").at("attributes").at(0).at("key"), "service.name");
  EXPECT_EQ(resource.at("resource").at("attributes").at(1).at("value").at("stringValue"), "host:1");
  const auto& first = resource.at("scopeSpans").at(0).at("spans").at(0);
  EXPECT_EQ(first.at("traceId"), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(first.at("spanId"), "b7ad6b7169203331");
  EXPECT_FALSE(first.as_object().contains("parentSpanId"));
  EXPECT_EQ(first.at("kind"), 2);
  EXPECT_EQ(first.at("endTimeUnixNano"), "1789999999999750000");
  EXPECT_EQ(first.at("startTimeUnixNano"), "1789999999998250000");
  EXPECT_EQ(first.at("status").at("code"), 2);
  EXPECT_EQ(first.at("attributes").at(0).at("value").at("stringValue"), "f\"\xef\xbf\xbd");
  EXPECT_EQ(first.at("attributes").at(1).at("value").at("intValue"), "500");
  const auto& second = resource.at("scopeSpans").at(0).at("spans").at(1);
  EXPECT_EQ(second.at("parentSpanId"), "b7ad6b7169203331");
  EXPECT_FALSE(second.as_object().contains("status"));
}

}  // namespace
}  // namespace infra
