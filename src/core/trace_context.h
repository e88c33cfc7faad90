// W3C Trace Context (https://www.w3.org/TR/trace-context/): which trace a request belongs to, as `traceparent` says it.
// `tracestate` is not carried.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace infra {

using TraceBytes = std::array<std::byte, 16>;
using SpanBytes = std::array<std::byte, 8>;

struct TraceContext {
  static constexpr std::uint8_t kSampled = 1;  // who called may have recorded its part
  static constexpr std::uint8_t kRandom = 2;   // the id of the trace is random (level 2)

  TraceBytes trace{};  // all zero: there is none
  SpanBytes span{};    // whose children come of it
  std::uint8_t flags = 0;

  [[nodiscard]] bool sampled() const { return (flags & kSampled) != 0; }
  bool operator==(const TraceContext&) const = default;
};

// Of version 00, or of a later one, of which the parts that 00 has are read. Nullopt for what the text does not allow:
// capitals, an id of zeros, version ff, something behind the flags of version 00. Unknown flags are dropped.
[[nodiscard]] std::optional<TraceContext> parse_traceparent(std::string_view text);

// As version 00 writes it, 55 bytes.
[[nodiscard]] std::string to_traceparent(const TraceContext& context);

// 32 and 16 lower-case hexadecimal digits.
[[nodiscard]] std::string to_hex(const TraceBytes& trace);
[[nodiscard]] std::string to_hex(const SpanBytes& span);
[[nodiscard]] bool is_trace_id(std::string_view text);  // not of zeros

// The trace's id within what to_traceparent() wrote; empty within any other text.
[[nodiscard]] std::string_view trace_id_in(std::string_view traceparent);

}  // namespace infra
