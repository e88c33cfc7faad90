#include "net/redis/redis_slots.h"

#include <array>
#include <charconv>
#include <string>

namespace infra::net {
namespace {

// CRC16 as XMODEM has it: polynomial 0x1021, from 0.
consteval std::array<std::uint16_t, 256> make_crc_table() {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8U;
    for (int bit = 0; bit < 8; ++bit) crc = (crc << 1U) ^ ((crc & 0x8000U) != 0 ? 0x1021U : 0U);
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

std::uint16_t crc16(std::string_view text) {
  unsigned crc = 0;
  for (const char letter : text) {
    crc = ((crc << 8U) ^ kCrcTable[((crc >> 8U) ^ static_cast<unsigned char>(letter)) & 0xFFU]) & 0xFFFFU;
  }
  return static_cast<std::uint16_t>(crc);
}

template <typename Int>
std::optional<Int> parse_number(std::string_view text) {
  Int value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_integer(const RedisReply& reply, std::int64_t below) {
  return reply.type == RedisReply::Type::integer && reply.integer >= 0 && reply.integer < below;
}

std::optional<RedisSlotRange> parse_range(const RedisReply& reply, const RedisAddress& from) {
  constexpr auto kSlots = static_cast<std::int64_t>(kRedisSlots);
  const auto& parts = reply.elements;
  if (parts.size() < 3 || !is_integer(parts[0], kSlots) || !is_integer(parts[1], kSlots)) return std::nullopt;
  const auto& node = parts[2].elements;
  if (node.size() < 2 || !is_integer(node[1], 65536)) return std::nullopt;
  // A server that does not know its own name says nothing, or "?": it is the one that was asked.
  const std::string& host = node[0].text;
  return RedisSlotRange{
      .first = static_cast<std::uint16_t>(parts[0].integer),
      .last = static_cast<std::uint16_t>(parts[1].integer),
      .master = {host.empty() || host == "?" ? from.host : host, static_cast<std::uint16_t>(node[1].integer)}};
}

}  // namespace

std::uint16_t redis_slot(std::string_view key) {
  if (const auto open = key.find('{'); open != std::string_view::npos) {
    const auto close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
  }
  return static_cast<std::uint16_t>(crc16(key) % kRedisSlots);
}

// "MOVED 3999 127.0.0.1:6381"; an IPv6 address stands there without brackets.
std::optional<RedisRedirection> parse_redirection(std::string_view error, const RedisAddress& from) {
  const bool ask = error.starts_with("ASK ");
  if (!ask && !error.starts_with("MOVED ")) return std::nullopt;
  error.remove_prefix(ask ? 4 : 6);
  const auto space = error.find(' ');
  const auto colon = error.rfind(':');
  if (space == std::string_view::npos || colon == std::string_view::npos || colon < space) return std::nullopt;
  const auto slot = parse_number<std::uint16_t>(error.substr(0, space));
  const auto port = parse_number<std::uint16_t>(error.substr(colon + 1));
  if (!slot || *slot >= kRedisSlots || !port) return std::nullopt;
  const std::string_view host = error.substr(space + 1, colon - space - 1);
  return RedisRedirection{
      .ask = ask, .slot = *slot, .to = {host.empty() || host == "?" ? from.host : std::string(host), *port}};
}

std::vector<RedisSlotRange> parse_slot_ranges(const RedisReply& reply, const RedisAddress& from) {
  std::vector<RedisSlotRange> ranges;
  for (const RedisReply& element : reply.elements) {
    auto range = parse_range(element, from);
    if (!range || range->first > range->last) return {};
    ranges.push_back(std::move(*range));
  }
  return ranges;
}

}  // namespace infra::net
