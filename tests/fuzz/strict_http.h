// HTTP/1.1's framing as RFC 9112 has it to the letter: what a careful proxy in front of the server would see. It shares
// no code with the server, and refuses whatever the grammar does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace infra::fuzz {

struct StrictHead {
  std::string_view method;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
};

inline bool is_text(std::string_view line) {  // of field values, chunk extensions: no controls but the tab
  return std::ranges::all_of(line, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

inline bool is_strict_token(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~0123456789";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kOthers.find(c) != std::string_view::npos;
  });
}

// Up to the next CRLF, which is taken too; nullopt if there is none, or a control character before it.
inline std::optional<std::string_view> take_strict_line(std::string_view& bytes) {
  const auto end = bytes.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = bytes.substr(0, end);
  bytes.remove_prefix(end + 2);
  return is_text(line) ? std::optional(line) : std::nullopt;
}

inline std::string_view strip(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

inline std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return lower;
}

// Nullopt for what is no number, or needs more than 64 bits.
inline std::optional<std::uint64_t> strict_number(std::string_view digits, unsigned base) {
  std::uint64_t value = 0;
  for (const char c : in_lower_case(digits)) {
    const unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                           : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10U
                                                  : 99U;
    if (digit >= base || value > (UINT64_MAX - digit) / base) return std::nullopt;
    value = value * base + digit;
  }
  return digits.empty() ? std::nullopt : std::optional(value);
}

inline std::optional<StrictHead> take_strict_head(std::string_view& bytes) {
  const auto request = take_strict_line(bytes);
  if (!request) return std::nullopt;
  const auto first = request->find(' ');
  const auto last = request->rfind(' ');
  if (first == std::string_view::npos || last == first) return std::nullopt;
  const std::string_view target = request->substr(first + 1, last - first - 1);
  const std::string_view version = request->substr(last + 1);
  if (target.empty() || target.find(' ') != std::string_view::npos) return std::nullopt;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return std::nullopt;
  StrictHead head{.method = request->substr(0, first), .content_length = {}};
  if (!is_strict_token(head.method)) return std::nullopt;
  while (true) {
    const auto line = take_strict_line(bytes);
    if (!line) return std::nullopt;
    if (line->empty()) return head;
    const auto colon = line->find(':');
    if (colon == std::string_view::npos || !is_strict_token(line->substr(0, colon))) return std::nullopt;
    const std::string name = in_lower_case(line->substr(0, colon));
    const std::string_view value = strip(line->substr(colon + 1));
    if (name == "content-length") {
      if (head.content_length) return std::nullopt;
      head.content_length = strict_number(value, 10);
      if (!head.content_length) return std::nullopt;
    } else if (name == "transfer-encoding") {
      if (head.chunked || in_lower_case(value) != "chunked" || version == "HTTP/1.0") return std::nullopt;
      head.chunked = true;
    }
  }
}

inline std::optional<std::string> take_strict_length(std::string_view& bytes, std::uint64_t length) {
  if (bytes.size() < length) return std::nullopt;
  std::string body(bytes.substr(0, static_cast<std::size_t>(length)));
  bytes.remove_prefix(static_cast<std::size_t>(length));
  return body;
}

// With its extensions and its trailer, both of which mean nothing.
inline std::optional<std::string> take_strict_chunks(std::string_view& bytes) {
  std::string body;
  while (true) {
    const auto line = take_strict_line(bytes);
    if (!line) return std::nullopt;
    const auto size = strict_number(line->substr(0, line->find_first_of(" \t;")), 16);
    const std::string_view behind = strip(line->substr(std::min(line->find_first_of(" \t;"), line->size())));
    if (!size || (!behind.empty() && !behind.starts_with(';'))) return std::nullopt;
    if (*size == 0) break;
    const auto data = take_strict_length(bytes, *size);
    if (!data || !bytes.starts_with("\r\n")) return std::nullopt;
    bytes.remove_prefix(2);
    body += *data;
  }
  while (true) {
    const auto line = take_strict_line(bytes);
    if (!line) return std::nullopt;
    if (line->empty()) return body;
    if (!is_strict_token(line->substr(0, line->find(':'))) || line->find(':') == std::string_view::npos)
      return std::nullopt;
  }
}

}  // namespace infra::fuzz
