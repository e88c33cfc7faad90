#include "sandbox/inside/sandbox_network.h"

#include <fcntl.h>

#include <charconv>
#include <string>
#include <string_view>

#include "sandbox/system/netlink.h"
#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

constexpr const char* kInside = "eth0";
constexpr int kPairPrefix = 31;  // two addresses and nothing else (RFC 3021)

}  // namespace

Result<UniqueFd> join_network(const NetworkPlan& plan, UniqueFd machine) {
  const UniqueFd own(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!own.valid()) return system_failure("opening the sandbox's network");
  Netlink outside(std::move(machine));
  const std::string link = plan.link.data();
  if (auto made = outside.add_veth(link, kInside, own.get()); !made) return fail(made.error());
  if (auto raised = outside.raise(link, plan.gateway, kPairPrefix); !raised) return fail(raised.error());
  auto socket = Netlink::open();
  if (!socket) return fail(socket.error());
  Netlink inside(std::move(*socket));
  if (auto raised = inside.raise(kInside, plan.address, kPairPrefix); !raised) return fail(raised.error());
  if (auto routed = inside.add_default_route(plan.gateway); !routed) return fail(routed.error());
  UniqueFd counters(::open("/proc/self/net/dev", O_RDONLY | O_CLOEXEC));
  if (!counters.valid()) return system_failure("opening the network's counters");
  return counters;
}

std::string resolv_conf_of(const NetworkPlan& plan) {
  std::string text;
  for (const Ipv4 resolver : plan.resolvers) {
    if (resolver != 0) text += "nameserver " + to_string(resolver) + "\n";
  }
  return text;
}

// "  eth0: <bytes> <packets> …": eight numbers of what was received, then as many of what was sent.

}  // namespace infra::sandbox
