// Says before anything is started whether this machine can isolate functions, and what is missing if not.
#pragma once

#include "core/error.h"

namespace infra::sandbox {

// `unavailable` (code no_isolation) with every missing thing and what to do about it. Forks once; changes nothing.
[[nodiscard]] Result<void> check_isolation();

}  // namespace infra::sandbox
