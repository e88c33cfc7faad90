// A run that waits for memory or for a compiler lets others have its slot meanwhile.
#pragma once

#include "core/task.h"

namespace infra::worker {

class Aside {
 public:
  Aside() = default;
  virtual ~Aside() = default;
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

  virtual void step_aside() = 0;
  virtual Task<void> come_back() = 0;  // returns when it has a slot again
};

}  // namespace infra::worker
