// Whether functions with `network: "egress"` can run, where a worker is beside the controller: those that can't are
// refused when they are deployed. In a fleet there is none, and their runs fail on a worker that can't.
#pragma once

#include "core/error.h"
#include "core/task.h"

namespace infra {

class EgressCheck {
 public:
  virtual ~EgressCheck() = default;

  // `unusable` (code egress_unavailable) with what is missing.
  virtual Task<Result<void>> check_egress() = 0;
};

}  // namespace infra
