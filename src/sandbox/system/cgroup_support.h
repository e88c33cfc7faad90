// Which control groups this machine has, and whether they will do.
#pragma once

#include <string>

#include "core/error.h"

namespace infra::sandbox {

// Whether all controllers that slots need are v1's.
[[nodiscard]] bool has_cgroup_v1();

// Words for a person; empty if `group` has all the controllers that slots need.
[[nodiscard]] std::string missing_v2_controllers(const std::string& group);

// `unavailable` (code no_isolation) with what is missing. Looks only; changes nothing.
[[nodiscard]] Result<void> check_cgroups();

}  // namespace infra::sandbox
