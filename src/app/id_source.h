// Makes ids from the injected clock and randomness.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "core/ids.h"
#include "core/trace_context.h"
#include "ports/clock.h"
#include "ports/random.h"

namespace infra::app {

class IdSource {
 public:
  IdSource(const Clock& clock, Random& random) : clock_(clock), random_(random) {}
  [[nodiscard]] RequestId request_id() { return {make()}; }
  [[nodiscard]] FunctionId function_id() { return {make()}; }

  // A span of the caller's trace; of a new one, `sampled` or not, where the caller named none.
  [[nodiscard]] TraceContext span_below(const std::optional<TraceContext>& caller, bool sampled) {
    std::array<std::byte, sizeof(SpanBytes) + sizeof(TraceBytes)> bytes{};
    random_.fill(std::span(bytes).first(caller ? sizeof(SpanBytes) : bytes.size()));
    TraceContext context;
    std::copy_n(bytes.begin(), context.span.size(), context.span.begin());
    if (caller) {
      context.trace = caller->trace;
      context.flags = caller->flags;
    } else {
      std::copy_n(bytes.begin() + sizeof(SpanBytes), context.trace.size(), context.trace.begin());
      context.flags = static_cast<std::uint8_t>(TraceContext::kRandom | (sampled ? TraceContext::kSampled : 0));
    }
    // Zeros mean that there is none.
    if (context.span == SpanBytes{}) context.span.back() = std::byte{1};
    if (context.trace == TraceBytes{}) context.trace.back() = std::byte{1};
    return context;
  }

 private:
  std::string make() {
    UuidRandom bytes;
    random_.fill(bytes);
    return make_uuid_v7(clock_.now(), bytes);
  }

  const Clock& clock_;
  Random& random_;
};

}  // namespace infra::app
