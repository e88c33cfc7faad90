// Makes a scenario that fails as small as it can, so that a person can read what happens in it.
#pragma once

#include "platform/scenario.h"

namespace infra::sim {

// One that fails as well, with fewer steps and faults. `scenario` fails.
[[nodiscard]] Scenario shrink(Scenario scenario);

}  // namespace infra::sim
