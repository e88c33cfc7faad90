// Full jitter, because clients that failed together would otherwise come back together.
#include "adapters/aws/retry_policy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

#include "adapters/aws/wire/http_date.h"

namespace infra::aws {

milliseconds backoff(int attempt, Random& random) {
  constexpr std::uint64_t kBase = 50;
  constexpr std::uint64_t kCap = 1000;
  const std::uint64_t most = std::min(kCap, kBase << std::clamp(attempt - 1, 0, 10));
  std::array<std::byte, 4> bytes{};
  random.fill(bytes);
  return milliseconds{static_cast<std::int64_t>(std::bit_cast<std::uint32_t>(bytes) % (most + 1))};
}

milliseconds retry_after(const net::Headers& headers, WallTime now) {
  constexpr milliseconds kMost = std::chrono::hours{24};
  const auto text = headers.find("retry-after");
  if (!text) return milliseconds{0};
  if (const auto date = parse_http_date(*text)) return std::clamp(*date - now, milliseconds{0}, kMost);
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (error != std::errc{} || end != text->data() + text->size()) return milliseconds{0};
  return std::min<milliseconds>(std::chrono::seconds{seconds}, kMost);
}

std::optional<milliseconds> clock_offset(const net::Headers& headers, WallTime signed_at) {
  const auto date = parse_http_date(headers.find("date").value_or(""));
  if (!date) return std::nullopt;
  const milliseconds ahead = *date - signed_at;
  if (std::chrono::abs(ahead) <= std::chrono::minutes{4}) return std::nullopt;
  return ahead;
}

}  // namespace infra::aws
