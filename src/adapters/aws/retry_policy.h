// When a call is tried again, and after how long: the numbers of AwsClient's loop in one place.
#pragma once

#include <optional>

#include "adapters/aws/aws_client.h"
#include "adapters/aws/wire/service_error.h"

namespace infra::aws {

inline constexpr int kMaxAttempts = 3;

[[nodiscard]] constexpr bool may_repeat(Cause cause, Repeat repeat) {
  if (cause == Cause::throttled || cause == Cause::unreachable) return true;
  return cause == Cause::broken && repeat == Repeat::safe;
}

// Full jitter: anything between nothing and 50 ms, 100 ms, 200 ms … (at most 1 s) after attempt 1, 2, 3 ….
[[nodiscard]] milliseconds backoff(int attempt, Random& random);

// The wait that Retry-After asks for, in seconds or as a date; 0 if it can't be read, at most a day.
[[nodiscard]] milliseconds retry_after(const net::Headers& headers, WallTime now);

// How far the service's clock is ahead of `signed_at`, if it is so far (4 minutes) that this explains a refusal.
[[nodiscard]] std::optional<milliseconds> clock_offset(const net::Headers& headers, WallTime signed_at);

}  // namespace infra::aws
