#include "worker/tasks/task_group.h"

#include <exception>
#include <utility>

namespace infra::worker {

void TaskGroup::spawn(TaskOwner owner, Task<void> task) {
  ++tasks_;
  executor_.spawn(std::move(owner), counted(std::move(task)));
}

void TaskGroup::spawn_on_each(const TaskOwner& owner, const std::function<Task<void>()>& make) {
  executor_.spawn_on_each(owner, [this, make] {
    ++tasks_;
    return counted(make());
  });
}

Task<void> TaskGroup::counted(Task<void> task) {
  std::exception_ptr exception;
  try {
    co_await std::move(task);
  } catch (...) {
    exception = std::current_exception();
  }
  --tasks_;  // the last touch: at zero join() returns, and this object may go
  if (exception) std::rethrow_exception(exception);
}

// A short poll, at shutdown only: a coroutine can't notify anything after it has let go of this object.
Task<void> TaskGroup::join() {
  while (tasks_ > 0) co_await clock_.sleep_until(clock_.steady_now() + milliseconds(2));
}

}  // namespace infra::worker
