// Header look-up, percent-encoding and query strings: the small text rules that every request meets.
#include "net/http/http_types.h"

#include <algorithm>
#include <array>

#include "core/error_codes.h"

namespace infra::net {

namespace {

constexpr std::size_t kReadPiece = 16 * 1024;
constexpr std::uint64_t kSmallBody = 64 * 1024;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

std::unexpected<Error> body_too_large(std::uint64_t max_bytes) {
  return fail(errors::body_too_large,
              "The request body is larger than the " + std::to_string(max_bytes) + " bytes allowed here.");
}

}  // namespace

std::optional<std::string_view> Headers::find(std::string_view name) const {
  const auto found = std::ranges::find_if(all_, [&](const Header& header) { return same_name(header.first, name); });
  if (found == all_.end()) return std::nullopt;
  return found->second;
}

std::size_t Headers::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(all_, [&](const Header& header) { return same_name(header.first, name); }));
}

std::string Headers::joined(std::string_view name) const {
  std::string list;
  bool first = true;
  for (const auto& [given, value] : all_) {
    if (!same_name(given, name)) continue;
    if (!std::exchange(first, false)) list += ", ";
    list += value;
  }
  return list;
}

void Headers::add(std::string name, std::string value) {
  all_.emplace_back(std::move(name), std::move(value));
}

void Headers::set(std::string_view name, std::string value) {
  const auto matches = [&](const Header& header) { return same_name(header.first, name); };
  const auto first = std::ranges::find_if(all_, matches);
  if (first == all_.end()) {
    add(std::string(name), std::move(value));
    return;
  }
  first->second = std::move(value);
  all_.erase(std::remove_if(first + 1, all_.end(), matches), all_.end());
}

Task<Result<std::string>> read_all(BodyStream& body, std::uint64_t max_bytes) {
  const std::optional<std::uint64_t> announced = body.content_length();
  if (announced && *announced > max_bytes) co_return body_too_large(max_bytes);
  // Of an unknown length most are small; a longer one holds at once what it may become, so that of those who wait for
  // more none has what another waits for.
  std::uint64_t held = announced ? *announced : std::min(kSmallBody, max_bytes);
  if (!body.try_hold(held)) {
    if (auto waited = co_await body.hold(held); !waited) co_return fail(std::move(waited.error()));
  }
  std::string text;
  std::size_t used = 0;
  while (true) {
    if (used == held && !announced && held < max_bytes) {
      if (!body.try_hold(max_bytes - held)) {
        if (auto waited = co_await body.hold(max_bytes - held); !waited) co_return fail(std::move(waited.error()));
      }
      held = max_bytes;
    }
    // Announced lengths are allocated piece by piece too: a client must send bytes to cost memory. A body may come in
    // many small reads, so room is made, and cleared, only when there is none.
    if (used == text.size()) {
      const std::uint64_t one_more = announced || held == max_bytes ? 1 : 0;  // in which the end, or too much, shows
      const auto room = std::min<std::uint64_t>(std::max(kReadPiece, used), held - used + one_more);
      text.resize(used + static_cast<std::size_t>(room));
    }
    Result<std::size_t> got = co_await body.read(std::span(text).subspan(used));
    if (!got) co_return fail(std::move(got.error()));
    used += *got;
    if (used > held) co_return body_too_large(max_bytes);
    if (*got == 0) {
      text.resize(used);
      co_return text;
    }
  }
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c)) {
      encoded.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded.push_back('%');
    encoded.push_back(kDigits[byte >> 4]);
    encoded.push_back(kDigits[byte & 15]);
  }
  return encoded;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto plain = [](std::string_view part) {
      std::string text(part);
      std::ranges::replace(text, '+', ' ');
      return percent_decode(text);
    };
    if (plain(pair.substr(0, equals)) != name) continue;
    return plain(pair.substr(std::min(equals + 1, pair.size())));
  }
  return std::nullopt;
}

}  // namespace infra::net
