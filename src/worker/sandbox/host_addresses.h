// Looks up the IPv4 addresses of hosts, for a privileged process that should not do so itself.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "worker/sandbox/egress_rules.h"

namespace infra::worker {

// In a child without privileges, if any of them is a name; for two seconds at most. `unavailable` if one of the names
// has none.
[[nodiscard]] Result<std::vector<Ipv4>> addresses_of(const std::vector<std::string>& hosts);

}  // namespace infra::worker
