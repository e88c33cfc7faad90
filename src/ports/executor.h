// Where coroutines run. Event threads never block; what must block is given to a small pool of threads of its own.
#pragma once

#include <functional>
#include <memory>

#include "core/task.h"
#include "core/task_owner.h"
#include "core/time.h"
#include "ports/background.h"

namespace infra {

class Executor {
 public:
  virtual ~Executor() = default;

  // Starts `task` on one of the event threads and forgets it: its owner answers for an exception that leaves it. Any
  // thread.
  virtual void spawn(TaskOwner owner, Task<void> task) = 0;

  // The same of one task on each event thread; `make` gives them.
  virtual void spawn_on_each(const TaskOwner& owner, const std::function<Task<void>()>& make) = 0;

  // Lets what can run on this event thread by now run first: for work that comes after an answer.
  virtual Task<void> yield() = 0;

  // Waits on this event thread until `descriptor` has something to read or its other end is closed; false after
  // `patience`, or at once where this thread can't wait so. For what comes soon: a thread of the pool costs two
  // wake-ups.
  virtual Task<bool> readable(int descriptor, milliseconds patience) = 0;

  // Runs `work` on the blocking pool and resumes the caller on its own thread; what `work` throws is rethrown there.
  virtual Task<void> offload(std::function<void()> work) = 0;

  // A thread of its own for work in steps; `name` is a plain literal. It begins when it is woken.
  [[nodiscard]] virtual std::unique_ptr<Background> background(const char* name, Background::Step step) = 0;
};

}  // namespace infra
