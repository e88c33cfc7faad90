// Work that comes in steps and blocks, beside the event threads and their pool: a database's writer.
#pragma once

#include <functional>

#include "core/time.h"

namespace infra {

class Background {
 public:
  // Does what is due, and gives when it is to be called again though nobody wakes it (SteadyTime::max(): never; a time
  // that has passed: at once). One call at a time. What it throws ends the program.
  using Step = std::function<SteadyTime()>;

  // Waits for a step that runs; no other begins.
  virtual ~Background() = default;
  // There is something to do. Any thread; while it is woken already, that costs nothing.
  virtual void wake() = 0;
  // For the start and the end of a program: wakes it, and blocks the calling thread until `done`, which is asked after
  // each step, any thread's.
  virtual void run_until(const std::function<bool()>& done) = 0;
};

}  // namespace infra
