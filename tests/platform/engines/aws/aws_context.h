// What the simulated services share: their time, the seed, who waits for a change, and where it is said aloud that they
// were asked for something that they do not know.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "platform/engines/aws/aws_faults.h"
#include "platform/engines/dice.h"
#include "ports/clock.h"

namespace infra::simulation {

struct AwsContext {
  Clock& clock;  // AWS's own
  Dice dice;
  AwsFaults faults{};
  // A request outside of what is simulated: a mistake of the simulation's, never a fault of the service.
  std::function<void(const std::string&)> complain{};

  // Each is notified once, by the next change that may concern whoever waits.
  std::vector<std::shared_ptr<Signal>> waiting{};
  void changed() {
    for (const auto& signal : waiting) signal->notify();
    waiting.clear();
  }

  [[nodiscard]] SteadyTime now() const { return clock.steady_now(); }
};

}  // namespace infra::simulation
