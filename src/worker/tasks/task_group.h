// Coroutines that use an object, counted, so that their owner can wait for them before the object goes.
#pragma once

#include <atomic>
#include <functional>

#include "core/task.h"
#include "ports/clock.h"
#include "ports/executor.h"

namespace infra::worker {

// Any thread.
class TaskGroup {
 public:
  TaskGroup(Executor& executor, Clock& clock) : executor_(executor), clock_(clock) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  void spawn(TaskOwner owner, Task<void> task);
  // One on each event thread; `make` gives them.
  void spawn_on_each(const TaskOwner& owner, const std::function<Task<void>()>& make);

  // Returns when all are over; none is spawned from outside of the group meanwhile.
  Task<void> join();

 private:
  Task<void> counted(Task<void> task);

  Executor& executor_;
  Clock& clock_;
  std::atomic<int> tasks_ = 0;
};

}  // namespace infra::worker
