// What idle instances are owed: they give memory back, stand still, and end when they are due, dead, or too many for
// the machine's memory.
#pragma once

#include <functional>

#include "core/task.h"
#include "core/time.h"
#include "ports/clock.h"
#include "ports/executor.h"
#include "worker/instances/places.h"

namespace infra::worker {

class Housekeeping {
 public:
  struct Deps {
    WarmPool& pool;
    Places& places;
    Lifecycle& lifecycle;
    Executor& executor;
    Clock& clock;
    milliseconds idle_timeout;
    std::function<bool()> short_of_memory;  // asked every second; then one idle instance goes. May be empty
    std::function<bool()> is_busy;          // calls need the processors' time; any thread
  };

  explicit Housekeeping(Deps deps) : deps_(std::move(deps)) {}

  Task<void> run();  // until the worker stops

 private:
  Task<void> trim_idle(bool short_of_memory);

  const Deps deps_;
};

}  // namespace infra::worker
