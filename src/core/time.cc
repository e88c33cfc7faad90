#include "core/time.h"

#include <fmt/format.h>

namespace infra {

SteadyTime next_beat(SteadyTime now, milliseconds interval) {
  const SteadyTime::duration past = now.time_since_epoch() % interval;
  return now - past + interval;
}

namespace {

// Takes exactly `digits` decimal digits off the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<milliseconds> take_fraction(std::string_view& text) {
  int value = 0;
  int scale = 100;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    value += (text[digits] - '0') * scale;
    scale /= 10;
    ++digits;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return milliseconds{value};
}

// "Z", "+09:00", "+0900", "+09" or nothing; all of `text` must be used up.
std::optional<std::chrono::minutes> parse_offset(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return std::chrono::minutes{0};
  const bool negative = text.front() == '-';
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto hours = take_number(text, 2);
  const bool whole_hours = hours && text.empty();
  take(text, ':');
  const auto minutes = whole_hours ? 0 : take_number(text, 2);
  if (!hours || !minutes || *hours > 14 || *minutes > 59 || !text.empty()) return std::nullopt;
  const std::chrono::minutes offset{*hours * 60 + *minutes};
  return negative ? -offset : offset;
}

}  // namespace

std::string to_iso8601(WallTime time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::optional<WallTime> parse_iso8601(std::string_view text) {
  using namespace std::chrono;
  const auto y = take_number(text, 4);
  if (!y || !take(text, '-')) return std::nullopt;
  const auto m = take_number(text, 2);
  if (!m || !take(text, '-')) return std::nullopt;
  const auto d = take_number(text, 2);
  if (!d) return std::nullopt;
  const year_month_day date{year{*y}, month{static_cast<unsigned>(*m)}, day{static_cast<unsigned>(*d)}};
  if (!date.ok()) return std::nullopt;
  WallTime time = sys_days{date};
  if (text.empty()) return time;

  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  time += hours{*hour} + minutes{*minute};
  if (take(text, ':')) {
    const auto second = take_number(text, 2);
    if (!second || *second > 60) return std::nullopt;  // 60: a leap second
    time += seconds{*second};
    if (take(text, '.') || take(text, ',')) {
      const auto fraction = take_fraction(text);
      if (!fraction) return std::nullopt;
      time += *fraction;
    }
  }
  const auto offset = parse_offset(text);
  if (!offset) return std::nullopt;
  time -= *offset;
  const year_month_day utc{floor<days>(time)};
  if (utc.year() < year{0} || utc.year() > year{9999}) return std::nullopt;  // to_iso8601() could not write it
  return time;
}

}  // namespace infra
