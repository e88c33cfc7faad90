// What the machine's owner says of the network that functions with `network: "egress"` have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "sandbox/system/ipv4.h"

namespace infra::sandbox {

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

}  // namespace infra::sandbox
