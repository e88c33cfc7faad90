// Plays a scenario on the real platform in a simulated world, and asks the oracle what came of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "platform/scenario.h"

namespace infra::sim {

struct Outcome {
  std::vector<std::string> complaints;  // empty: everything that must hold did
  std::vector<std::string> trace;       // what happened, a line each, if it was asked for
  std::uint64_t fingerprint = 0;        // the same for the same scenario
  std::uint64_t steps = 0;
  int runs = 0;    // that were answered or accepted
  int starts = 0;  // of functions
  int losses = 0;
};

[[nodiscard]] Outcome play(const Scenario& scenario, bool with_trace = false);

}  // namespace infra::sim
