// What a function with `network: "egress"` may reach, and the same in the words of nftables. IPv4 throughout: a
// sandbox has no IPv6 address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace infra::worker {

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

// An exception from what is blocked.
struct EgressOpening {
  Ipv4Range range;
  std::uint16_t port = 0;  // of TCP and UDP; 0: everything
  bool operator==(const EgressOpening&) const = default;
};
// A range with an optional ":port".
[[nodiscard]] Result<EgressOpening> parse_egress_opening(std::string_view text);

// Addresses of sandboxes come from here if nothing else is said: set aside for measuring equipment (RFC 2544), so that
// no service that a machine talks to is in it.
inline constexpr Ipv4Range kDefaultEgressSubnet{.first = 0xc6120000, .prefix = 15};  // 198.18.0.0/15
inline constexpr int kEgressBlockPrefix = 20;     // of the part that one program takes for itself
inline constexpr int kMaxEgressSandboxes = 2048;  // in it, two addresses each

inline constexpr std::size_t kMaxResolvers = 3;

struct EgressOptions {
  Ipv4Range subnet = kDefaultEgressSubnet;  // at least a kEgressBlockPrefix
  std::vector<EgressOpening> allow{};
  std::vector<Ipv4Range> block{};          // beside what is blocked always
  std::vector<std::string> block_hosts{};  // names or addresses of the platform's own engines, blocked as well
  std::vector<Ipv4> resolvers{};           // empty: the machine's own
};

// The IPv4 nameservers of a resolv.conf, three at most, as resolvers read no more; loopback ones are not among them.
[[nodiscard]] std::vector<Ipv4> resolvers_of(std::string_view resolv_conf);

// What is no public address: this network, private and shared ranges, loopback, link-local (and with it clouds'
// metadata), protocol assignments, benchmarking, multicast, reserved.
[[nodiscard]] const std::vector<Ipv4Range>& never_public();

struct EgressRules {
  std::string table;             // its name
  std::string interface_prefix;  // of the machine's ends of the sandboxes' links
  Ipv4Range sandboxes;           // whose addresses these are
  std::vector<EgressOpening> allow{};
  std::vector<Ipv4Range> block{};
  std::vector<Ipv4> resolvers{};
};

// The text of a table that replaces one of the same name, for `nft -f`.
[[nodiscard]] std::string nftables_text(const EgressRules& rules);

// For a machine that forwarded nothing before: goes on so for all that is no sandbox's. One for all programs.
[[nodiscard]] std::string forwarding_guard_text();
inline constexpr std::string_view kForwardingGuard = "infra_forwarding";
inline constexpr std::string_view kEgressInterfaces = "infra";  // every program's links begin with it

}  // namespace infra::worker
