// The network of one sandbox with egress: a link of its own to the machine, made in the sandbox while it is prepared.
// It goes with the sandbox and is never another's: what a namespace keeps of its connections (orphans, TIME_WAIT, the
// machine's own table of flows by their addresses) would be the next function's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>

#include "core/error.h"
#include "sandbox/protocol/egress_options.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

// Made by the spawner; travels to the zygote as it is.
struct NetworkPlan {
  std::array<char, 16> link{};                  // the machine's end, by name
  Ipv4 gateway = 0;                             // its address
  Ipv4 address = 0;                             // the sandbox's, in a /31 with it
  std::array<Ipv4, kMaxResolvers> resolvers{};  // 0: none
};
static_assert(std::is_trivially_copyable_v<NetworkPlan>);

// In the sandbox's init, as real root in a network namespace of its own and with the machine's /proc; `machine` is a
// netlink socket of the machine's namespace. Gives the file that read_network_bytes() reads.
[[nodiscard]] Result<UniqueFd> join_network(const NetworkPlan& plan, UniqueFd machine);

// The text of its /etc/resolv.conf.
[[nodiscard]] std::string resolv_conf_of(const NetworkPlan& plan);

}  // namespace infra::sandbox
