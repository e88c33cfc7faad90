// An engine that can be asked whether it works.
#pragma once

#include <string>

#include "core/error.h"
#include "core/task.h"

namespace infra {

class HealthProbe {
 public:
  virtual ~HealthProbe() = default;
  [[nodiscard]] virtual std::string name() const = 0;  // the key under "checks" in GET /health: "functions", "queue" …
  // A cheap call that really uses the engine. The prober has its own deadline; this need not.
  virtual Task<Result<void>> probe() = 0;
};

}  // namespace infra
