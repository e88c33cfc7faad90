// What the faults of a scenario mean for its world: how its machine is made, and for how long a run may wait there.
#pragma once

#include <memory>

#include "platform/embedded_machine.h"
#include "platform/oracle.h"
#include "platform/scenario.h"

namespace infra::sim {

// `dice` decide on what the machine meets until the faults are over. Both must outlive it.
[[nodiscard]] EmbeddedOptions options_for(const Scenario& scenario, const std::shared_ptr<Dice>& dice,
                                          const bool& faults_over);
[[nodiscard]] Patience patience_for(const Scenario& scenario);

}  // namespace infra::sim
