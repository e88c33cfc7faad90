// A scenario's faults as the simulated machines and engines take them.
#pragma once

#include <memory>

#include "platform/fleet/fleet_world.h"
#include "platform/scenario.h"

namespace infra::sim {

// `dice` are the machines'; `faults_over` outlives the world.
[[nodiscard]] FleetOptions fleet_options_for(const Scenario& scenario, const std::shared_ptr<Dice>& dice,
                                             const bool& faults_over);
// What engines do to requests all the while; the way to them has a latency in any case.
void set_faults(FleetCloud& cloud, const FleetPart& fleet);
void end_faults(FleetCloud& cloud);

}  // namespace infra::sim
