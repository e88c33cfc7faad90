// Learns at once of functions that were deployed, changed or removed, where a worker is beside the controller.
#pragma once

#include "core/function.h"

namespace infra {

// Any thread; neither blocks nor fails.
class FunctionObserver {
 public:
  virtual ~FunctionObserver() = default;
  // The function is new, has changed, or was there when the program started: its row as it is now.
  virtual void deployed(const Function& function) = 0;
  virtual void removed(const FunctionId& id) = 0;
};

}  // namespace infra
