// Plays a fleet's scenario on the real compositions of controllers and workers, and asks the oracle what came of it.
#pragma once

#include "platform/fleet/fleet_scenario.h"
#include "platform/simulation.h"

namespace infra::sim {

[[nodiscard]] Outcome play_fleet(const Scenario& scenario, bool with_trace = false);
// On one machine or on a fleet, as it is.
[[nodiscard]] Outcome play_any(const Scenario& scenario, bool with_trace = false);

}  // namespace infra::sim
