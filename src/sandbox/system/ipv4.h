// IPv4 addresses and ranges of them, as numbers and as text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.h"

namespace infra::sandbox {

using Ipv4 = std::uint32_t;  // in host order: 127.0.0.1 is 0x7f000001

struct Ipv4Range {
  Ipv4 first = 0;
  int prefix = 32;
  [[nodiscard]] Ipv4 mask() const { return prefix == 0 ? 0 : ~Ipv4{0} << (32 - prefix); }
  [[nodiscard]] bool overlaps(const Ipv4Range& other) const {
    const Ipv4 common = mask() & other.mask();
    return (first & common) == (other.first & common);
  }
  bool operator==(const Ipv4Range&) const = default;
};

[[nodiscard]] std::string to_string(Ipv4 address);
[[nodiscard]] std::string to_string(const Ipv4Range& range);
// `invalid`; the message says what is wrong with the text.
[[nodiscard]] Result<Ipv4> parse_ipv4(std::string_view text);
// "10.1.0.0/16", or an address alone; bits behind the prefix must be 0.
[[nodiscard]] Result<Ipv4Range> parse_ipv4_range(std::string_view text);

}  // namespace infra::sandbox
