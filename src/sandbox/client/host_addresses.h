// Looks up the IPv4 addresses of hosts.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "sandbox/system/ipv4.h"

namespace infra::sandbox {

// Blocks as long as the machine's resolver does. `unavailable` if one of the names has no address.
[[nodiscard]] Result<std::vector<Ipv4>> addresses_of(const std::vector<std::string>& hosts);

}  // namespace infra::sandbox
