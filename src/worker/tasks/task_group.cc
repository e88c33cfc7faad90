#include "worker/tasks/task_group.h"

#include <utility>

namespace infra::worker {

void TaskGroup::spawn(Task<void> task) {
  ++tasks_;
  executor_.spawn(counted(std::move(task)));
}

void TaskGroup::spawn_on_each(const std::function<Task<void>()>& make) {
  executor_.spawn_on_each([this, make] {
    ++tasks_;
    return counted(make());
  });
}

Task<void> TaskGroup::counted(Task<void> task) {
  co_await std::move(task);
  --tasks_;  // the last touch: at zero join() returns, and this object may go
}

// A short poll, at shutdown only: a coroutine can't notify anything after it has let go of this object.
Task<void> TaskGroup::join() {
  while (tasks_ > 0) co_await clock_.sleep_until(clock_.steady_now() + milliseconds(2));
}

}  // namespace infra::worker
