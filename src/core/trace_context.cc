#include "core/trace_context.h"

#include <algorithm>
#include <span>

namespace infra {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kTraceAt = 3;
constexpr std::size_t kSpanAt = 36;
constexpr std::size_t kFlagsAt = 53;
constexpr std::size_t kLength = 55;  // of version 00

// -1 for what is no lower-case digit, which other readers refuse.
int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::optional<std::uint8_t> read_byte(std::string_view two) {
  const int high = digit(two[0]);
  const int low = digit(two[1]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<std::uint8_t>(high * 16 + low);
}

// False for an id of zeros, too.
bool read_id(std::string_view text, std::span<std::byte> into) {
  bool any = false;
  for (std::size_t i = 0; i < into.size(); ++i) {
    const auto byte = read_byte(text.substr(2 * i, 2));
    if (!byte) return false;
    into[i] = std::byte{*byte};
    any = any || *byte != 0;
  }
  return any;
}

void write(std::span<const std::byte> bytes, char* at) {
  for (const auto byte : bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    *at++ = kDigits[value >> 4];
    *at++ = kDigits[value & 15];
  }
}

template <std::size_t N>
std::string hex_of(const std::array<std::byte, N>& bytes) {
  std::string text(2 * N, '0');
  write(bytes, text.data());
  return text;
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() < kLength || text[2] != '-' || text[kSpanAt - 1] != '-' || text[kFlagsAt - 1] != '-')
    return std::nullopt;
  const auto version = read_byte(text);
  const auto flags = read_byte(text.substr(kFlagsAt));
  TraceContext context;
  if (!version || *version == 0xff || !flags || !read_id(text.substr(kTraceAt), context.trace) ||
      !read_id(text.substr(kSpanAt), context.span)) {
    return std::nullopt;
  }
  if (text.size() > kLength && (*version == 0 || text[kLength] != '-')) return std::nullopt;
  context.flags = *flags & (TraceContext::kSampled | TraceContext::kRandom);
  return context;
}

std::string to_traceparent(const TraceContext& context) {
  std::string text(kLength, '-');
  text[0] = text[1] = '0';
  write(context.trace, text.data() + kTraceAt);
  write(context.span, text.data() + kSpanAt);
  const std::byte flags{context.flags};
  write({&flags, 1}, text.data() + kFlagsAt);
  return text;
}

std::string to_hex(const TraceBytes& trace) {
  return hex_of(trace);
}

std::string to_hex(const SpanBytes& span) {
  return hex_of(span);
}

bool is_trace_id(std::string_view text) {
  TraceBytes bytes;
  return text.size() == 2 * bytes.size() && read_id(text, bytes);
}

std::string_view trace_id_in(std::string_view traceparent) {
  return traceparent.size() == kLength ? traceparent.substr(kTraceAt, 2 * sizeof(TraceBytes)) : std::string_view();
}

}  // namespace infra
