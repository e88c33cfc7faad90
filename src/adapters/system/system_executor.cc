// Hands through: the port keeps the rooms above from seeing net/.
#include "adapters/system/system_executor.h"

#include <utility>

#include "adapters/system/background_thread.h"

namespace infra {

void SystemExecutor::spawn(TaskOwner owner, Task<void> task) {
  loops_.spawn(std::move(owner), std::move(task));
}

void SystemExecutor::spawn_on_each(const TaskOwner& owner, const std::function<Task<void>()>& make) {
  loops_.spawn_on_each(owner, make);
}

Task<void> SystemExecutor::yield() {
  return loops_.yield();
}

Task<bool> SystemExecutor::readable(int descriptor, milliseconds patience) {
  return loops_.readable(descriptor, patience);
}

Task<void> SystemExecutor::offload(std::function<void()> work) {
  return loops_.offload(std::move(work));
}

std::unique_ptr<Background> SystemExecutor::background(const char* name, Background::Step step) {
  return std::make_unique<BackgroundThread>(name, std::move(step));
}

}  // namespace infra
