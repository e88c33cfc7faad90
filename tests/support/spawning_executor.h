// An executor whose spawned tasks run to their end where they are spawned: for what is done beside a request, and
// looked at after it.
#pragma once

#include <utility>

#include "support/inline_executor.h"
#include "support/run_task.h"

namespace infra::fakes {

class SpawningExecutor final : public InlineExecutor {
 public:
  void spawn(TaskOwner, Task<void> task) override { run_task(finished(std::move(task))); }

 private:
  static Task<bool> finished(Task<void> task) {
    co_await std::move(task);
    co_return true;
  }
};

}  // namespace infra::fakes
