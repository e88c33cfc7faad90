// Points in time, and their ISO 8601 form as stored rows and clients have it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace infra {

using std::chrono::milliseconds;
using WallTime = std::chrono::sys_time<milliseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;

// The next whole multiple of `interval`, so that all who look at something every now and then wake a thread together.
[[nodiscard]] SteadyTime next_beat(SteadyTime now, milliseconds interval);

// "2026-11-23T21:09:02.123Z", as JavaScript's toISOString() writes it.
[[nodiscard]] std::string to_iso8601(WallTime time);

// Reads a date ("2026-11-23"), or a date and time with optional fraction, with `Z`, an offset ("+09:00", "+0900",
// "+09") or nothing (UTC). Digits past the millisecond are dropped. Nullopt if it is anything else or names no real
// day.
[[nodiscard]] std::optional<WallTime> parse_iso8601(std::string_view text);

}  // namespace infra
