#include "telemetry/spans.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/json_text.h"

namespace infra {
namespace {

constexpr int kError = 2;  // STATUS_CODE_ERROR

std::string attribute_json(const SpanAttribute& attribute) {
  const auto* text = std::get_if<std::string>(&attribute.value);
  // OTLP's JSON has 64-bit integers as texts.
  return fmt::format(
      R"({{"key":{},"value":{{"{}":{}}}}})", json_quote(attribute.name), text != nullptr ? "stringValue" : "intValue",
      text != nullptr ? json_quote(*text) : fmt::format(R"("{}")", std::get<std::int64_t>(attribute.value)));
}

std::string span_json(const Span& span) {
  const std::chrono::nanoseconds end = span.end.time_since_epoch() - span.before;
  const std::chrono::nanoseconds start = end - span.took;
  return fmt::format(
      R"({{"traceId":"{}","spanId":"{}"{},"name":{},"kind":{},"startTimeUnixNano":"{}","endTimeUnixNano":"{}",)"
      R"("attributes":{}{}}})",
      to_hex(span.trace), to_hex(span.id),
      span.parent == SpanBytes{} ? "" : fmt::format(R"(,"parentSpanId":"{}")", to_hex(span.parent)),
      json_quote(span.name), static_cast<int>(span.kind), start.count(), end.count(),
      json_array(span.attributes, attribute_json),
      span.failed ? fmt::format(R"(,"status":{{"code":{}}})", kError) : "");
}

}  // namespace

void Spans::add(Span span) {
  if (!exported_) return;
  const MutexLock lock(mutex_);
  if (waiting_.size() >= kMost) {
    ++dropped_;
  } else {
    waiting_.push_back(std::move(span));
  }
}

std::vector<Span> Spans::take() {
  const MutexLock lock(mutex_);
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kBatch));
  std::vector<Span> taken(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  return taken;
}

std::string otlp_json(const std::vector<Span>& spans, std::string_view service, std::string_view instance) {
  return fmt::format(
      R"({{"resourceSpans":[{{"resource":{{"attributes":[{},{}]}},"scopeSpans":[{{"scope":{{"name":"infra"}},"spans":{}}}]}}]}})",
      attribute_json({.name = "service.name", .value = std::string(service)}),
      attribute_json({.name = "service.instance.id", .value = std::string(instance)}), json_array(spans, span_json));
}

}  // namespace infra
