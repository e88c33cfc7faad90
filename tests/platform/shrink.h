// Makes a scenario that fails as small as it can, so that a person can read what happens in it.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "platform/scenario.h"
#include "platform/simulation.h"

namespace infra::sim {

// What is wrong in it, without who it is with; empty: nothing.
using Kinds = std::set<std::string>;
[[nodiscard]] Kinds kinds_of(const Outcome& outcome);

// One that is wrong in one of the same ways, with fewer steps and faults. `judge` plays one.
[[nodiscard]] Scenario shrink(const Scenario& scenario, const std::function<Kinds(const Scenario&)>& judge);

}  // namespace infra::sim
