// A run that waits for memory or for a compiler lets others have its slot meanwhile.
#pragma once

#include "core/error.h"
#include "core/task.h"

namespace infra::worker {

class Aside {
 public:
  Aside() = default;
  virtual ~Aside() = default;
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

  virtual void step_aside() = 0;
  virtual Task<Result<void>> come_back() = 0;  // once it has a slot again; `shutting_down` if there will be none
};

}  // namespace infra::worker
