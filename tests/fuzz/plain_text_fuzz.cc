// The small readings of core/: cursors, forwarded addresses, points in time, durations, UTF-8. Each is undone, or held
// against another reader of the same.
#include <algorithm>
#include <bit>
#include <boost/asio/ip/address.hpp>
#include <boost/beast/websocket/detail/utf8_checker.hpp>
#include <cmath>
#include <cstring>
#include <string>

#include "core/client_address.h"
#include "core/duration.h"
#include "core/ids.h"
#include "core/page_cursor.h"
#include "core/text.h"
#include "core/time.h"
#include "fuzz/target.h"

namespace infra::fuzz {
namespace {

void check_cursor(std::string_view text) {
  if (const auto key = read_cursor("logs", 1, text))
    require(make_cursor("logs", {(*key)[0]}) == text, "a cursor has one spelling");
  if (const auto key = read_cursor("functions", 2, text))
    require(make_cursor("functions", {(*key)[0], (*key)[1]}) == text, "a cursor of two parts has one spelling");
  (void)read_function_cursor(std::string(text));
  const bool fits = text.size() < 512 && text.find('\n') == std::string_view::npos;
  if (!fits) return;
  const auto key = read_cursor("logs", 1, make_cursor("logs", {text}));
  require(key && (*key)[0] == text, "what a cursor is made of comes back");
}

bool is_address(const std::string& text) {
  boost::system::error_code error;
  boost::asio::ip::make_address(text, error);
  return !error && text.find('\0') == std::string::npos;
}

void check_address(std::string_view text, int hops) {
  constexpr std::string_view kPeer = "192.0.2.7";
  const std::string address = client_address(kPeer, text, hops);
  require(address == kPeer || is_address(address), "a client's address is one");
  require(hops > 0 || address == kPeer, "without proxies nothing is believed");
  const auto entries = std::ranges::count(text, ',') + 1;
  if (entries >= hops) {
    require(client_address(kPeer, "203.0.113.9, " + std::string(text), hops) == address,
            "what a client writes in front changes nothing");
  }
  const std::string key = rate_key(address);
  require(!key.empty() && rate_key(key) == key, "a key is its own");
  boost::system::error_code error;
  const auto parsed = boost::asio::ip::make_address(address, error);
  if (error || !parsed.is_v6()) return;
  require(rate_key(parsed.to_string()) == key, "an address has one key, however it is written");
}

void check_time(std::string_view text) {
  const auto time = parse_iso8601(text);
  if (time) require(parse_iso8601(to_iso8601(*time)) == time, "a time that is written is read");
}

void check_duration(std::string_view text) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, text.data(), std::min(text.size(), sizeof bits));
  const auto ms = std::bit_cast<double>(bits);
  const auto us = whole_us(ms);
  require(us >= 0 && whole_ms(ms) * 1000 >= us && whole_ms(ms) * 1000 - us < 1000,
          "milliseconds are microseconds rounded up");
  if (ms > 0 && ms < 1e12)
    require(std::abs(static_cast<double>(us) - ms * 1000) <= 0.5 + ms * 1e-12, "a duration is the nearest microsecond");
}

void check_utf8(std::string_view text) {
  const bool valid = is_valid_utf8(text);
  require(valid == boost::beast::websocket::detail::check_utf8(text.data(), text.size()), "text is text to Beast, too");
  const std::string clean = replace_invalid_utf8(text);
  require(is_valid_utf8(clean) && (!valid || clean == text), "what is cleaned is text");
  for (const std::size_t most : {0U, 1U, 3U, 8U, 100U}) {
    const std::string_view cut = cut_utf8(clean, most);
    require(cut.size() <= most && clean.starts_with(cut) && is_valid_utf8(cut), "text is cut between characters");
    require(clean.size() <= most || cut.size() + 4 > most, "no more is cut off than a character");
    require(is_valid_utf8(shorten(clean, most)), "what is shortened is text");
  }
  if (const auto number = parse_whole(text))
    require(!text.empty() && text.find_first_not_of("-0123456789") == std::string_view::npos, "a number is digits");
}

void check_id(std::string_view text) {
  const auto time = uuid_v7_time(text);
  if (!time) return;
  const std::string again = make_uuid_v7(*time, {});
  require(again.substr(0, 13) == ascii_lower(text.substr(0, 13)), "an id's time is its first digits");
  require(is_valid_function_id(text), "a UUID may be an id");
}

void read_everything(std::string_view input) {
  check_duration(input);
  const int hops = take_byte(input) % 4;
  check_cursor(input);
  check_address(input, hops);
  check_time(input);
  check_utf8(input);
  check_id(input);
}

}  // namespace

INFRA_FUZZ_TARGET(plain_text, read_everything);

}  // namespace infra::fuzz
