#include "core/client_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "core/text.h"

namespace infra {
namespace {

// Proxies write "[2001:db8::1]:443" and "192.0.2.1:443" as well as the bare address.
std::string_view without_port(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    return end == std::string_view::npos ? std::string_view{} : text.substr(1, end - 1);
  }
  const auto colon = text.find(':');
  const bool one_colon = colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos;
  return one_colon ? text.substr(0, colon) : text;
}

std::optional<std::array<std::uint8_t, 16>> parse_v6(const std::string& text) {
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return std::nullopt;
  return bytes;
}

bool is_v4(const std::string& text) {
  in_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

}  // namespace

std::string client_address(std::string_view peer, std::string_view forwarded_for, int hops) {
  std::string_view rest = forwarded_for;
  for (int hop = 1; hop <= hops && !rest.empty(); ++hop) {
    const auto comma = rest.rfind(',');
    const std::string entry{without_port(trim(comma == std::string_view::npos ? rest : rest.substr(comma + 1)))};
    if (hop == hops) {
      // What the C library reads ends at a NUL, what becomes a key does not.
      if (entry.find('\0') == std::string::npos && (is_v4(entry) || parse_v6(entry))) return entry;
      break;
    }
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(0, comma);
  }
  return std::string(peer);
}

std::string rate_key(std::string_view address) {
  std::string text(address.substr(0, address.find('%')));  // without a link-local zone
  const auto v6 = parse_v6(text);
  if (!v6) return text;
  static constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), v6->begin())) {
    return fmt::format("{}.{}.{}.{}", (*v6)[12], (*v6)[13], (*v6)[14], (*v6)[15]);
  }
  std::string key;
  for (std::size_t i = 0; i < 8; i += 2) key += fmt::format("{:x}:", ((*v6)[i] << 8) | (*v6)[i + 1]);
  return key + ":/64";
}

}  // namespace infra
