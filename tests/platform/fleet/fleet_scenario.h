// Scenarios of a fleet: the clients of one machine's, with several machines and their engines to fail.
#pragma once

#include <cstdint>

#include "platform/scenario.h"

namespace infra::sim {

// Every fourth seed past the first hundred is a fleet's, the others are one machine's.
[[nodiscard]] constexpr bool is_fleet(std::uint64_t seed) {
  return seed > 100 && seed % 4 == 0;
}

[[nodiscard]] Scenario draw_fleet_scenario(std::uint64_t seed);
// Of whichever kind the seed is.
[[nodiscard]] Scenario draw_any_scenario(std::uint64_t seed);

}  // namespace infra::sim
