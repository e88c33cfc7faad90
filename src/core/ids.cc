#include "core/ids.h"

#include <algorithm>
#include <cstdint>

namespace infra {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::array<std::size_t, 4> kDashes = {8, 13, 18, 23};

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string make_uuid_v7(WallTime time, const UuidRandom& random) {
  std::array<std::uint8_t, 16> bytes{};
  const auto ms = static_cast<std::uint64_t>(time.time_since_epoch().count());
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
  for (std::size_t i = 0; i < 10; ++i) bytes[6 + i] = std::to_integer<std::uint8_t>(random[i]);
  bytes[6] = static_cast<std::uint8_t>(0x70 | (bytes[6] & 0x0f));
  bytes[8] = static_cast<std::uint8_t>(0x80 | (bytes[8] & 0x3f));

  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[bytes[i] >> 4];
    text += kHex[bytes[i] & 15];
  }
  return text;
}

std::optional<int> uuid_version(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = std::ranges::find(kDashes, i) != kDashes.end();
    if (dash ? text[i] != '-' : hex_value(text[i]) < 0) return std::nullopt;
  }
  return hex_value(text[14]);
}

std::optional<WallTime> uuid_v7_time(std::string_view text) {
  if (uuid_version(text) != 7) return std::nullopt;
  std::int64_t ms = 0;
  for (std::size_t i = 0; i < 13; ++i) {
    if (text[i] != '-') ms = ms * 16 + hex_value(text[i]);
  }
  return WallTime{milliseconds{ms}};
}

bool is_foreign(const RequestId& id) {
  return uuid_version(id.value) == 4;
}

bool is_valid_function_id(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
}

}  // namespace infra
