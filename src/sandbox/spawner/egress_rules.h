// What a function with `network: "egress"` may reach, and the same in the words of nftables. IPv4 throughout: a
// sandbox has no IPv6 address.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/protocol/egress_options.h"
#include "sandbox/system/ipv4.h"

namespace infra::sandbox {

// The IPv4 nameservers of a resolv.conf, three at most, as resolvers read no more; loopback ones are not among them.
[[nodiscard]] std::vector<Ipv4> resolvers_of(std::string_view resolv_conf);

// What is no public address: this network, private and shared ranges, loopback, link-local (and with it most clouds'
// metadata), protocol assignments, benchmarking, multicast, reserved; and 168.63.129.16, by which Azure's hosts answer
// their machines.
[[nodiscard]] const std::vector<Ipv4Range>& never_public();

struct EgressRules {
  std::string table;             // its name
  std::string interface_prefix;  // of the machine's ends of the sandboxes' links
  Ipv4Range sandboxes;           // whose addresses these are
  std::vector<EgressOpening> allow{};
  std::vector<Ipv4Range> block{};
  std::vector<Ipv4> resolvers{};
  std::vector<Ipv4Range> links{};  // what the machine reaches without a gateway
};

// The text of a table that replaces one of the same name, for `nft -f`.
[[nodiscard]] std::string nftables_text(const EgressRules& rules);

// Replaces `links` in one that is there.
[[nodiscard]] std::string links_text(const std::string& table, const std::vector<Ipv4Range>& links);

// For a machine that forwarded nothing before: goes on so for all that is no sandbox's. One for all programs.
[[nodiscard]] std::string forwarding_guard_text();
inline constexpr std::string_view kForwardingGuard = "infra_forwarding";
inline constexpr std::string_view kEgressInterfaces = "infra";  // every program's links begin with it

}  // namespace infra::sandbox
