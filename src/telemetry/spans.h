// Spans: the parts of a request's way and how long each took, for a collector of traces. They wait in bounded memory
// until the exporter takes them (main/span_export.h): nobody who tells of one waits.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/mutex.h"
#include "core/time.h"
#include "core/trace_context.h"

namespace infra {

struct SpanAttribute {
  std::string_view name;  // constant words
  std::variant<std::string, std::int64_t> value;
};

struct Span {
  enum class Kind : std::uint8_t { internal = 1, server = 2, consumer = 5 };  // OTLP's numbers

  TraceBytes trace{};
  SpanBytes id{};
  SpanBytes parent{};     // zeros: the trace begins with it
  std::string_view name;  // constant words
  Kind kind = Kind::internal;
  WallTime end{};                     // to the millisecond
  std::chrono::nanoseconds before{};  // from its own end to `end`
  std::chrono::nanoseconds took{};
  bool failed = false;
  std::vector<SpanAttribute> attributes{};
};

// Any thread.
class Spans {
 public:
  static constexpr std::size_t kMost = 4096;  // wait at once; more are dropped
  static constexpr std::size_t kBatch = 512;  // leave together

  explicit Spans(bool exported) : exported_(exported) {}
  Spans(const Spans&) = delete;
  Spans& operator=(const Spans&) = delete;

  // Whether there is an exporter. A trace that begins here is sampled then.
  [[nodiscard]] bool exported() const { return exported_; }
  [[nodiscard]] bool wanted(const TraceContext& context) const { return exported_ && context.sampled(); }

  void add(Span span);
  [[nodiscard]] std::vector<Span> take();  // the oldest, kBatch at most
  void drop(std::size_t count) { dropped_ += count; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }  // since the program's start

 private:
  const bool exported_;
  Mutex mutex_;
  std::deque<Span> waiting_ INFRA_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> dropped_ = 0;
};

// The body of OTLP/HTTP's POST /v1/traces in JSON. `instance` tells programs of a fleet apart.
[[nodiscard]] std::string otlp_json(const std::vector<Span>& spans, std::string_view service,
                                    std::string_view instance);

}  // namespace infra
