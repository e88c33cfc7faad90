// Where coroutines run. Event threads never block; what must block is given to a small pool of threads of its own.
#pragma once

#include <functional>

#include "core/task.h"

namespace infra {

class Executor {
 public:
  virtual ~Executor() = default;

  // Starts `task` on one of the event threads and forgets it. An exception that leaves it is a bug: logged, then abort.
  // Any thread.
  virtual void spawn(Task<void> task) = 0;

  // Runs `work` on the blocking pool and resumes the caller on its own thread; what `work` throws is rethrown there.
  virtual Task<void> offload(std::function<void()> work) = 0;
};

}  // namespace infra
